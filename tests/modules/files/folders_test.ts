/** Folders of a copy: which bits of their modes come along, and which stay. */

import assert from "node:assert/strict";
import type { SentRecord } from "../../../modules/files/records.ts";
import { changed, copy, temporaryFolder } from "./scene.ts";

function modeOf(path: string): string {
  return ((Deno.lstatSync(path).mode ?? 0) & 0o7777).toString(8);
}

function makeFolders(below: string, modes: Readonly<Record<string, number>>): void {
  Deno.mkdirSync(below);
  for (const [name, mode] of Object.entries(modes)) {
    Deno.mkdirSync(`${below}/${name}`);
    Deno.chmodSync(`${below}/${name}`, mode);
    Deno.writeTextFileSync(`${below}/${name}/a`, name);
  }
}

Deno.test("folders: who copies over /tmp leaves it to everybody, and set-id bits as they were", async () => {
  using folder = temporaryFolder();
  const [from, to] = [`${folder.path}/from`, `${folder.path}/to`];
  makeFolders(from, { tmp: 0o1777, g: 0o2775, plain: 0o755, set: 0o4755, new: 0o1777 });
  makeFolders(to, { tmp: 0o1777, g: 0o2775, plain: 0o2755, set: 0o755 });
  // What is new in it is of its group.
  Deno.chmodSync(to, 0o2755);
  const { problems } = await copy({ sources: [`${from}/.`], to });
  assert.equal(problems, 0);
  const modes = (names: string[]) => names.map((name) => modeOf(`${to}/${name}`));
  const all = ["tmp", "g", "plain", "set", "new"];
  assert.deepEqual(modes(all), ["1777", "2775", "2755", "755", "3777"]);
  // Nor does the bit stay where the source has none.
  Deno.chmodSync(`${from}/tmp`, 0o755);
  await copy({ sources: [`${from}/.`], to });
  assert.deepEqual(modes(["tmp"]), ["755"]);
});

Deno.test("folders: a sender that does not say whether one is sticky takes nothing away", async () => {
  using folder = temporaryFolder();
  const [from, to] = [`${folder.path}/from`, `${folder.path}/to`];
  makeFolders(from, { tmp: 0o777 });
  makeFolders(to, { tmp: 0o1777 });
  const asBefore = (record: SentRecord): SentRecord[] =>
    record instanceof Uint8Array || record[0] !== "d" ? [record] : [["d", record[1], 0o777, 0]];
  await copy({ sources: [`${from}/.`], to, way: (pieces) => changed(pieces, asBefore) });
  assert.equal(modeOf(`${to}/tmp`), "1777");
});
