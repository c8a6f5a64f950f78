/** Files that change while they are read. */

import assert from "node:assert/strict";
import { copy, temporaryFolder } from "./scene.ts";

const SIZE = 1_500_000;

Deno.test("sender: a file that has only grown goes as far as it went at first, and is noted", async () => {
  using folder = temporaryFolder();
  const [from, to] = [`${folder.path}/from`, `${folder.path}/to`];
  Deno.mkdirSync(from);
  Deno.mkdirSync(to);
  const bytes = new Uint8Array(SIZE).fill(7);
  for (const name of ["log", "shrunk", "changed", "other"]) {
    Deno.writeFileSync(`${from}/${name}`, bytes);
    Deno.utimeSync(`${from}/${name}`, 1_600_000_000, 1_600_000_000);
  }
  const onNeed = () => {
    Deno.writeFileSync(`${from}/log`, new Uint8Array(3), { append: true });
    Deno.truncateSync(`${from}/shrunk`, 5);
    Deno.writeFileSync(`${from}/changed`, bytes);
    // As a log that begins anew.
    Deno.writeFileSync(`${from}/new`, new Uint8Array(SIZE + 1));
    Deno.renameSync(`${from}/new`, `${from}/other`);
  };
  const { files, left, notes, problems } = await copy({ sources: [`${from}/.`], to, onNeed });
  assert.deepEqual([files, problems], [1, 3]);
  assert.deepEqual(
    left,
    ["changed", "other", "shrunk"].map((name) => `"${from}/${name}" has changed while it was read`),
  );
  assert.deepEqual(notes, [
    `"${from}/log" has grown while it was read: what is copied are its first 1.5 MB`,
  ]);
  assert.deepEqual(Deno.readFileSync(`${to}/log`), bytes);
  assert.equal(Deno.statSync(`${to}/log`).mtime?.getTime(), 1_600_000_000_000);
  // What has come since is missing there, and found so.
  const again = await copy({ sources: [`${from}/log`], to });
  assert.deepEqual([again.files, again.notes, Deno.statSync(`${to}/log`).size], [1, [], SIZE + 3]);
});

Deno.test("sender: one that grows and is written inside as well is no copy of anything, and left out", async () => {
  using folder = temporaryFolder();
  const [from, to] = [`${folder.path}/image`, `${folder.path}/to`];
  Deno.mkdirSync(to);
  Deno.writeFileSync(from, new Uint8Array(SIZE).fill(7));
  let isChanged = false;
  const way = async function* (pieces: AsyncIterable<Uint8Array>) {
    for await (const piece of pieces) {
      if (!isChanged && piece.length > SIZE / 10) {
        isChanged = true;
        using file = Deno.openSync(from, { write: true });
        file.writeSync(new Uint8Array(1));
        Deno.writeFileSync(from, new Uint8Array(3), { append: true });
      }
      yield piece;
    }
  };
  const { files, left } = await copy({ sources: [from], to, way });
  assert.deepEqual([isChanged, files], [true, 0]);
  assert.deepEqual(left, [`"${from}" has changed while it was read`]);
});
