/** A folder that is copied under a new name: the same command, run again, means the same folder. */

import assert from "node:assert/strict";
import { CallError } from "../../../core/mod.ts";
import { copy, listing, temporaryFolder } from "./scene.ts";

const FILES = 200;
const DAY_MS = 86_400_000;

function makeSource(path: string): void {
  Deno.mkdirSync(`${path}/sub`, { recursive: true });
  for (let i = 0; i < FILES; i++) Deno.writeTextFileSync(`${path}/sub/${i}`, "x".repeat(5_000));
  Deno.utimeSync(path, 1_600_000_000, 1_600_000_000);
}

/** Breaks off when some of the files are in place. */
async function* broken(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let left = 3;
  for await (const piece of pieces) {
    if (left-- === 0) return;
    yield piece;
  }
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("begun folder: the same command goes on in it, until it is complete", async () => {
  using folder = temporaryFolder();
  const [from, to] = [`${folder.path}/many`, `${folder.path}/t1`];
  makeSource(from);
  for (let times = 0; times < 2; times++) {
    await assert.rejects(copy({ sources: [from], to, way: broken }), CallError);
    assert.match(names(to).join(), /^\.minime-[0-9a-f]{16}\.part,sub$/);
  }
  const { files, same, problems } = await copy({ sources: [from], to });
  assert.deepEqual([files + same, same > 0, problems], [FILES, true, 0]);
  assert.deepEqual(listing(to), listing(from));
  // Complete, it is a folder like any other, as for cp.
  const again = await copy({ sources: [from], to });
  assert.deepEqual([again.files, names(to)], [FILES, ["many", "sub"]]);
});

Deno.test("begun folder: what means another one goes into it by the rules of cp", async () => {
  using folder = temporaryFolder();
  const at = (path: string) => `${folder.path}/${path}`;
  makeSource(at("many"));
  Deno.mkdirSync(at("other"));
  Deno.writeTextFileSync(at("file"), "file");
  const to = at("t1");
  await assert.rejects(copy({ sources: [at("many")], to, way: broken }), CallError);
  const [mark = ""] = names(to);
  await copy({ sources: [at("other")], to });
  await copy({ sources: [at("file")], to });
  await copy({ sources: [at("many"), at("file")], to });
  await copy({ sources: [at("many")], to: `${to}/` });
  assert.deepEqual(names(to), [mark, "file", "many", "other", "sub"]);
  assert.deepEqual(names(at("t1/many")), ["sub"]);
  // Nor does anybody mean the same after a week.
  Deno.removeSync(at("t1/many"), { recursive: true });
  await copy({ sources: [at("many")], to, now: Date.now() + 8 * DAY_MS });
  assert.ok(names(to).includes("many"));
});

Deno.test("begun folder: with something missing it is begun still", async () => {
  using folder = temporaryFolder();
  const [from, to] = [`${folder.path}/many`, `${folder.path}/t1`];
  makeSource(from);
  Deno.writeTextFileSync(`${from}/gone`, "gone");
  const onNeed = () => Deno.removeSync(`${from}/gone`);
  const { files, problems } = await copy({ sources: [from], to, onNeed });
  assert.deepEqual([files, problems], [FILES, 1]);
  const again = await copy({ sources: [from], to });
  assert.deepEqual([again.files, again.same, again.problems], [0, FILES, 0]);
  assert.deepEqual(names(to), ["sub"]);
});
