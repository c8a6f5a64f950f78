import assert from "node:assert/strict";
import { formatSize, parseSize } from "../../../modules/shared/size.ts";

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

Deno.test("size: decimal and binary units are read", () => {
  const cases: [text: string, bytes: number][] = [
    ["10", 10],
    ["10 B", 10],
    ["64k", 64_000],
    ["64 KiB", 65_536],
    ["1.5GiB", 1_610_612_736],
    ["38.1 MB", 38_100_000],
  ];
  for (const [text, bytes] of cases) assert.equal(parseSize(text), bytes, text);
  assert.throws(() => parseSize("5 x"), {
    name: "UsageError",
    message: 'Cannot read size "5 x": there is no unit "x"',
  });
  assert.throws(() => parseSize("5 ib"), /there is no unit "ib"/);
  assert.throws(() => parseSize("big"), /it must start with a number/);
  assert.throws(() => parseSize("99999999999 PB"), /it is too large/);
  assert.throws(() => parseSize("1".repeat(65)), /it is too long/);
});
