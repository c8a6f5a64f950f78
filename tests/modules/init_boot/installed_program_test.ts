import assert from "node:assert/strict";
import { isOlder } from "../../../modules/init_boot/installed_program.ts";

Deno.test("installed program: which of two versions is older goes by their numbers", () => {
  const cases: [version: string, than: string, older: boolean][] = [
    ["0.1.0", "0.1.0", false],
    ["0.1.0", "0.1.1", true],
    ["0.1.10", "0.1.9", false],
    ["0.9.9", "1.0.0", true],
    ["1.0.0", "0.9.9", false],
    ["1.2.0", "1.1.9", false],
    // Of one number, nobody can tell.
    ["0.1.0-rc.1", "0.1.0", false],
  ];
  for (const [version, than, older] of cases) {
    assert.equal(isOlder(version, than), older, `${version} than ${than}`);
  }
});
