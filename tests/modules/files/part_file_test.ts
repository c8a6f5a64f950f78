/** Files on their way when two copies want the same place at once. */

import assert from "node:assert/strict";
import { copy, temporaryFolder } from "./scene.ts";

const SIZE = 6_000_000;

interface Stop {
  /** Resolves when so much has gone that something of the file is on the disk. */
  readonly begun: Promise<void>;
  go(): void;
  way(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array>;
}

/** Holds a copy in its middle; then it goes on, or breaks off. */
function stopped({ breaks = false } = {}): Stop {
  const { promise: begun, resolve: onBegin } = Promise.withResolvers<void>();
  const { promise: going, resolve: go } = Promise.withResolvers<void>();
  return {
    begun,
    go,
    async *way(pieces) {
      let bytes = 0;
      for await (const piece of pieces) {
        yield piece;
        bytes += piece.length;
        if (bytes < SIZE / 2) continue;
        onBegin();
        await going;
        if (breaks) return;
      }
    },
  };
}

function makeSources(folder: string): { readonly sources: string[]; readonly to: string } {
  const sources = [1, 2].map((byte) => {
    Deno.mkdirSync(`${folder}/from${byte}`);
    Deno.writeFileSync(`${folder}/from${byte}/big`, new Uint8Array(SIZE).fill(byte));
    return `${folder}/from${byte}/big`;
  });
  Deno.mkdirSync(`${folder}/to`);
  return { sources, to: `${folder}/to` };
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("part file: of two copies at once to one place the second leaves it to the first", async () => {
  using folder = temporaryFolder();
  const { sources: [one = "", other = ""], to } = makeSources(folder.path);
  // The same again would go on with what is there, the other one would begin anew.
  for (const second of [one, other]) {
    const stop = stopped();
    const first = copy({ sources: [one], to, way: stop.way });
    await stop.begun;
    const { files, shown } = await copy({ sources: [second], to });
    assert.deepEqual([files, shown], [
      0,
      [`Could not write "${to}/big": another copy writes it now`],
    ]);
    stop.go();
    const { files: done, problems } = await first;
    assert.deepEqual([done, problems], [1, 0]);
    assert.deepEqual(Deno.readFileSync(`${to}/big`), Deno.readFileSync(one));
    assert.deepEqual(names(to), ["big"]);
    Deno.removeSync(`${to}/big`);
  }
});

Deno.test("part file: what was put in its stead is neither put in place nor removed", async () => {
  using folder = temporaryFolder();
  const { sources: [one = ""], to } = makeSources(folder.path);
  const stop = stopped();
  const copying = copy({ sources: [one], to, way: stop.way });
  await stop.begun;
  const [part = ""] = names(to);
  Deno.removeSync(`${to}/${part}`);
  Deno.writeTextFileSync(`${to}/${part}`, "half");
  stop.go();
  const { files, shown } = await copying;
  assert.deepEqual([files, shown], [0, [`Could not write "${to}/big": it was replaced meanwhile`]]);
  assert.deepEqual(names(to), [part]);
  assert.equal(Deno.readTextFileSync(`${to}/${part}`), "half");
});

Deno.test("part file: a link of that name takes nothing from a file on its way", async () => {
  using folder = temporaryFolder();
  const { sources: [one = ""], to } = makeSources(folder.path);
  Deno.mkdirSync(`${folder.path}/links`);
  Deno.symlinkSync("/nowhere", `${folder.path}/links/big`);
  const stop = stopped();
  const copying = copy({ sources: [one], to, way: stop.way });
  await stop.begun;
  const { problems } = await copy({ sources: [`${folder.path}/links/.`], to });
  assert.equal(problems, 0);
  assert.equal(Deno.readLinkSync(`${to}/big`), "/nowhere");
  stop.go();
  assert.equal((await copying).files, 1);
  assert.deepEqual(Deno.readFileSync(`${to}/big`), Deno.readFileSync(one));
});

Deno.test("part file: what an interrupted copy has left is free", async () => {
  using folder = temporaryFolder();
  const { sources: [one = "", other = ""], to } = makeSources(folder.path);
  for (const second of [one, other]) {
    const stop = stopped({ breaks: true });
    const broken = assert.rejects(copy({ sources: [one], to, way: stop.way }));
    await stop.begun;
    stop.go();
    await broken;
    const { files, problems } = await copy({ sources: [second], to });
    assert.deepEqual([files, problems], [1, 0]);
    assert.deepEqual(Deno.readFileSync(`${to}/big`), Deno.readFileSync(second));
    assert.deepEqual(names(to), ["big"]);
    Deno.removeSync(`${to}/big`);
  }
});
