/** What there is to copy: nothing that is left out goes unnamed. */

import assert from "node:assert/strict";
import { copy, temporaryFolder } from "./scene.ts";

function shell(folder: string, line: string): void {
  const { success } = new Deno.Command("bash", { args: ["-c", line], cwd: folder }).outputSync();
  assert.ok(success, line);
}

Deno.test("walk: a name that is not UTF-8 is left out, and said as a shell takes it", async () => {
  using folder = temporaryFolder();
  const from = `${folder.path}/from`;
  Deno.mkdirSync(`${from}/sub`, { recursive: true });
  shell(from, "touch $'a\\xff' ä sub/$'\\xc3\\xa4\\\\\\xc3'; mkdir $'d\\xfe'; touch $'d\\xfe/in'");
  const { files, left } = await copy({ sources: [from], to: `${folder.path}/to` });
  assert.equal(files, 1);
  const why = "is left out: its name is not UTF-8";
  assert.deepEqual(left.toSorted(), [
    `"${from}/a\\xff" ${why}`,
    `"${from}/d\\xfe" ${why}`,
    `"${from}/sub/\\xc3\\xa4\\\\\\xc3" ${why}`,
  ]);
  assert.ok(Deno.statSync(`${folder.path}/to/ä`).isFile);
});

Deno.test("walk: what the kernel makes up without a size is left out, and said", async () => {
  using folder = temporaryFolder();
  const [from, to] = [`${folder.path}/from`, `${folder.path}/to`];
  Deno.mkdirSync(from);
  Deno.mkdirSync(to);
  Deno.writeTextFileSync(`${from}/empty`, "");
  const { files, left } = await copy({ sources: ["/proc/cpuinfo", `${from}/empty`], to });
  assert.equal(files, 1);
  assert.deepEqual(left, [
    '"/proc/cpuinfo" is left out: the kernel makes it up, without a size; "cat" has it, at a node by "minime exec"',
  ]);
  const again = await copy({ sources: [`${from}/empty`], to, checksum: true });
  assert.deepEqual([again.same, again.left], [1, []]);
});
