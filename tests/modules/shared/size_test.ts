import assert from "node:assert/strict";
import { formatSize } from "../../../modules/shared/size.ts";

Deno.test("size: three figures with decimal units", () => {
  const cases: [bytes: number, text: string][] = [
    [0, "0 B"],
    [999, "999 B"],
    [999.6, "1.0 kB"],
    [1_000, "1.0 kB"],
    [38_100_000, "38.1 MB"],
    [99_949_999, "99.9 MB"],
    [99_950_000, "100 MB"],
    [999_500_000, "1.0 GB"],
    [120e9, "120 GB"],
    [5e18, "5000 PB"],
    [-1_500, "-1.5 kB"],
    [NaN, "-"],
  ];
  for (const [bytes, text] of cases) assert.equal(formatSize(bytes), text);
});
