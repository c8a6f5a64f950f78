import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { isOlder, versionOf } from "../../../modules/init_boot/installed_program.ts";
import { PROGRAM_VERSION_MS_MAX } from "../../../modules/init_boot/limits.ts";
import { ManualClock } from "../../support/manual_clock.ts";

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

// An installation waited for ever.
Deno.test("installed program: one that says no version is given up after a while", async () => {
  const { processes } = createRealEnvironment();
  const clock = new ManualClock();
  const program = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(program, "#!/bin/sh\nexec sleep 1000\n");
    await Deno.chmod(program, 0o755);
    const version = versionOf({ clock, processes }, program);
    await clock.advance(PROGRAM_VERSION_MS_MAX);
    assert.equal(await version, undefined);
    await Deno.writeTextFile(program, `#!/bin/sh\necho '{"version":"9.0.0"}'\n`);
    assert.equal(await versionOf({ clock, processes }, program), "9.0.0");
  } finally {
    await Deno.remove(program);
  }
});
