/** Sender and receiver: what arrives, what is not sent again, what is refused, and what is left. */

import assert from "node:assert/strict";
import { CallError, ProtocolError } from "../../../core/mod.ts";
import { receiveFiles } from "../../../modules/files/receiver.ts";
import type { SentRecord } from "../../../modules/files/records.ts";
import { changed, copy, listing, packed, receiverOptions, temporaryFolder } from "./scene.ts";

const LARGE = 3_000_000;

/** A folder with all that can be in one. */
function makeTree(path: string): void {
  Deno.mkdirSync(`${path}/sub/deep/empty`, { recursive: true });
  Deno.writeTextFileSync(`${path}/a`, "one");
  Deno.writeTextFileSync(`${path}/none`, "");
  Deno.writeTextFileSync(`${path}/sub/ä "b" c`, "two");
  Deno.writeTextFileSync(`${path}/sub/deep/run`, "#!/bin/sh");
  Deno.chmodSync(`${path}/sub/deep/run`, 0o750);
  Deno.chmodSync(`${path}/a`, 0o400);
  Deno.symlinkSync("../a", `${path}/sub/link`);
  Deno.symlinkSync("/nowhere", `${path}/dangling`);
  const when = new Date(1_600_000_000_123);
  for (const each of ["a", "sub/deep/run", "sub/deep", "sub"]) {
    Deno.utimeSync(`${path}/${each}`, when, when);
  }
  Deno.chmodSync(`${path}/sub/deep`, 0o555);
}

function bytesOf(length: number, factor = 7): Uint8Array {
  return new Uint8Array(length).map((_, index) => index * factor + (index >> 8));
}

function parts(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
    /\.part$/.test(name)
  );
}

/** Lets so many bytes of content through, then breaks off. */
function brokenAfter(bytes: number) {
  return async function* (pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let left = bytes;
    for await (const piece of pieces) {
      if (left <= 0) return;
      left -= piece.length < 1_000 ? 0 : piece.length;
      yield piece;
    }
  };
}

Deno.test("copy: a folder arrives with its modes, times and links, and is not sent again", async () => {
  using folder = temporaryFolder();
  const from = `${folder.path}/tree`;
  makeTree(from);
  Deno.mkdirSync(`${folder.path}/to`);
  const { files, problems, left } = await copy({ sources: [from], to: `${folder.path}/to` });
  assert.deepEqual([files, problems, left], [4, 0, []]);
  assert.deepEqual(listing(`${folder.path}/to/tree`), listing(from));
  const again = await copy({ sources: [from], to: `${folder.path}/to` });
  assert.deepEqual([again.files, again.bytes, again.same], [0, 0, 6]);
  Deno.chmodSync(`${from}/sub/deep`, 0o755);
  Deno.chmodSync(`${folder.path}/to/tree/sub/deep`, 0o755);
});

Deno.test("copy: into a folder that is there, under a new name, only the contents", async () => {
  using folder = temporaryFolder();
  const at = (path: string) => `${folder.path}/${path}`;
  Deno.writeTextFileSync(at("x"), "x");
  Deno.writeTextFileSync(at("y"), "why");
  makeTree(at("tree"));
  Deno.mkdirSync(at("in"));
  await copy({ sources: [at("x"), at("y")], to: at("in/") });
  await copy({ sources: [at("x")], to: at("in/new") });
  await copy({ sources: [at("y")], to: at("in/new") });
  await copy({ sources: [at("tree")], to: at("in/tree2") });
  await copy({ sources: [`${at("tree")}/.`], to: at("in") });
  const read = (path: string) => Deno.readTextFileSync(at(path));
  assert.deepEqual([read("in/x"), read("in/y"), read("in/new")], ["x", "why", "why"]);
  assert.deepEqual(listing(at("in/tree2")), listing(at("tree")));
  assert.equal(read("in/sub/deep/run"), "#!/bin/sh");
  // A link that is named itself is followed.
  Deno.symlinkSync(at("x"), at("to-x"));
  await copy({ sources: [at("to-x")], to: at("in") });
  assert.ok(Deno.lstatSync(at("in/to-x")).isFile);
});

Deno.test("copy: what is wrong with the place is said before anything is sent", async () => {
  using folder = temporaryFolder();
  const at = (path: string) => `${folder.path}/${path}`;
  Deno.writeTextFileSync(at("x"), "x");
  const fails = (to: string, sources: string[], message: string) =>
    assert.rejects(copy({ sources, to }), { message });
  await fails(at("no/"), [at("x")], `There is no folder "${at("no/")}"`);
  await fails(at("no/x"), [at("x")], `There is no folder "${at("no")}"`);
  await fails(at("no"), [at("x"), at("x")], `There is no folder "${at("no")}"`);
  const why = "a part of the path is not a folder";
  await fails(at("x/y"), [at("x")], `Could not look at "${at("x/y")}": ${why}`);
  await fails(at("x/"), [at("x")], `Could not look at "${at("x/")}": ${why}`);
  await fails(at("x"), [at("x"), at("x")], `"${at("x")}" is no folder`);
  await fails("/dev/null", [at("x")], `"/dev/null" is neither a file nor a folder`);
});

Deno.test("copy: one file that cannot be written leaves the others alone", async () => {
  using folder = temporaryFolder();
  const at = (path: string) => `${folder.path}/${path}`;
  Deno.mkdirSync(at("from/sub"), { recursive: true });
  for (const name of ["a", "b", "sub/c"]) Deno.writeTextFileSync(at(`from/${name}`), name);
  Deno.mkdirSync(at("to/from/a"), { recursive: true });
  Deno.writeTextFileSync(at("to/from/sub"), "in the way");
  const { files, problems, shown } = await copy({ sources: [at("from")], to: at("to") });
  assert.deepEqual([files, problems], [1, 2]);
  assert.deepEqual(shown, [
    `Could not write "${at("to/from/a")}": it is a folder`,
    `"${at("to/from/sub")}" is no folder`,
  ]);
  assert.equal(Deno.readTextFileSync(at("to/from/b")), "b");
});

Deno.test("copy: what is no file is left out, and said", async () => {
  using folder = temporaryFolder();
  const from = `${folder.path}/from`;
  Deno.mkdirSync(from);
  Deno.writeTextFileSync(`${from}/a`, "a");
  new Deno.Command("mkfifo", { args: [`${from}/pipe`] }).outputSync();
  const { files, left } = await copy({ sources: [from], to: `${folder.path}/to` });
  assert.equal(files, 1);
  assert.deepEqual(left, [
    `"${from}/pipe" is left out: it is neither a file nor a folder nor a link`,
  ]);
});

Deno.test("copy: what was interrupted goes on where it ended", async () => {
  using folder = temporaryFolder();
  const [from, to] = [`${folder.path}/large`, `${folder.path}/to`];
  Deno.writeFileSync(from, bytesOf(LARGE));
  Deno.mkdirSync(to);
  const way = brokenAfter(2_000_000);
  await assert.rejects(copy({ sources: [from], to, way }), { message: "The files broke off" });
  assert.deepEqual([...Deno.readDirSync(to)].length, 1);
  const [part = ""] = parts(to);
  const kept = Deno.statSync(`${to}/${part}`).size;
  assert.ok(kept >= 1_900_000, String(kept));
  const { bytes, sent, files } = await copy({ sources: [from], to });
  assert.deepEqual([files, bytes], [1, LARGE - kept]);
  assert.ok(sent < LARGE - kept + 10_000);
  assert.deepEqual(Deno.readFileSync(`${to}/large`), bytesOf(LARGE));
  assert.deepEqual(parts(to), []);
});

Deno.test("copy: what is left of another file is not gone on with", async () => {
  using folder = temporaryFolder();
  const [from, to] = [`${folder.path}/large`, `${folder.path}/to`];
  Deno.mkdirSync(to);
  for (const change of ["content", "mode", "link"]) {
    Deno.writeFileSync(from, bytesOf(LARGE));
    Deno.chmodSync(from, 0o644);
    const way = brokenAfter(2_000_000);
    await assert.rejects(copy({ sources: [from], to, way }), CallError);
    const [part = ""] = parts(to);
    if (change === "content") Deno.writeFileSync(from, bytesOf(LARGE, 9));
    if (change === "mode") Deno.chmodSync(from, 0o600);
    const precious = `${folder.path}/precious`;
    if (change === "link") {
      // Somebody who may write to that folder put it there.
      Deno.copyFileSync(`${to}/${part}`, precious);
      Deno.removeSync(`${to}/${part}`);
      Deno.linkSync(precious, `${to}/${part}`);
    }
    const before = change === "link" ? Deno.readFileSync(precious) : undefined;
    const { bytes, problems } = await copy({ sources: [from], to });
    assert.deepEqual([bytes, problems], [LARGE, 0], change);
    assert.deepEqual(Deno.readFileSync(`${to}/large`), Deno.readFileSync(from));
    if (before !== undefined) assert.deepEqual(Deno.readFileSync(precious), before);
    Deno.removeSync(`${to}/large`);
    assert.deepEqual(parts(to), []);
  }
});

Deno.test("copy: content that was changed on the way never gets a name", async () => {
  using folder = temporaryFolder();
  const [from, to] = [`${folder.path}/large`, `${folder.path}/to`];
  Deno.writeFileSync(from, bytesOf(LARGE));
  Deno.mkdirSync(to);
  let done = false;
  const way = (pieces: AsyncIterable<Uint8Array>) =>
    changed(pieces, (record) => {
      if (done || !(record instanceof Uint8Array) || record.length === 0) return [record];
      done = true;
      const other = record.slice();
      other[5] = (other[5] as number) ^ 1;
      return [other];
    });
  const { files, problems, shown } = await copy({ sources: [from], to, way });
  assert.deepEqual([files, problems], [0, 1]);
  assert.deepEqual(shown, [`"${to}/large" came damaged: its hash is not the sender's`]);
  assert.deepEqual([...Deno.readDirSync(to)], []);
});

Deno.test("copy: what is dropped on the way is missed", async () => {
  using folder = temporaryFolder();
  const [from, to] = [`${folder.path}/from`, `${folder.path}/to`];
  Deno.mkdirSync(from);
  Deno.mkdirSync(to);
  for (const name of ["a", "b", "c"]) Deno.writeTextFileSync(`${from}/${name}`, name);
  let goes = 0;
  // Of the second file everything, and the last byte of the third.
  const way = (pieces: AsyncIterable<Uint8Array>) =>
    changed(pieces, (record) => {
      if (!(record instanceof Uint8Array) && record[0] === "go") goes++;
      return goes === 2 ? [] : goes === 3 && record instanceof Uint8Array ? [] : [record];
    });
  const { files, shown } = await copy({ sources: [`${from}/.`], to, way });
  assert.equal(files, 1);
  assert.deepEqual(shown, [
    `"${to}/c" came damaged: its hash is not the sender's`,
    `"${to}/b" did not come`,
  ]);
  assert.deepEqual([...Deno.readDirSync(to)].map(({ name }) => name), ["a"]);
});

Deno.test("copy: hashes find what looks the same", async () => {
  using folder = temporaryFolder();
  const [from, to] = [`${folder.path}/a`, `${folder.path}/to`];
  Deno.mkdirSync(to);
  Deno.writeTextFileSync(from, "abc");
  await copy({ sources: [from], to });
  const { mtime } = Deno.statSync(from);
  Deno.writeTextFileSync(`${to}/a`, "abd");
  Deno.utimeSync(`${to}/a`, mtime as Date, mtime as Date);
  assert.equal((await copy({ sources: [from], to })).same, 1);
  assert.equal((await copy({ sources: [from], to, checksum: true })).files, 1);
  assert.equal(Deno.readTextFileSync(`${to}/a`), "abc");
  Deno.utimeSync(`${to}/a`, 1, 1);
  assert.equal((await copy({ sources: [from], to, checksum: true })).same, 1);
});

Deno.test("copy: many small files need few rounds and few pieces", async () => {
  using folder = temporaryFolder();
  const [from, to] = [`${folder.path}/from`, `${folder.path}/to`];
  Deno.mkdirSync(from);
  const count = 500;
  for (let i = 0; i < count; i++) Deno.writeTextFileSync(`${from}/${i}`, String(i));
  let rounds = 0;
  let pieces = 0;
  const way = async function* (all: AsyncIterable<Uint8Array>) {
    for await (const piece of all) {
      pieces++;
      yield piece;
    }
  };
  const onNeed = () => void rounds++;
  const { files } = await copy({ sources: [from], to, way, onNeed });
  assert.deepEqual([files, rounds], [count, 1]);
  assert.ok(pieces <= 3, String(pieces));
  assert.equal(Deno.readTextFileSync(`${to}/499`), "499");
});

Deno.test("copy: a hostile sender stays in its folder", async () => {
  using folder = temporaryFolder();
  const to = `${folder.path}/to`;
  const outside = `${folder.path}/outside`;
  Deno.mkdirSync(to);
  Deno.mkdirSync(outside);
  const file = ["f", "x", 4, 0o644, 0] as const;
  const content: SentRecord[] = [["ask", 0], ["go", 0, 0], new TextEncoder().encode("evil")];
  // A link first, then through it; a link in the place of a folder that was listed.
  for (
    const records of [
      [["l", "a", outside], ["in", "a"], file, ...content],
      [["l", "a", outside], ["d", "a", 0o755, 0], ["in", "a"], file, ...content],
      [["d", "a", 0o755, 0], ["in", ""], ["l", "b", outside], ["in", "a/../b"], file],
      [["in", "b"], file, ...content],
    ] satisfies SentRecord[][]
  ) {
    await sendAll(to, [...records, ["end"]]).catch((error) => {
      assert.ok(error instanceof ProtocolError, String(error));
    });
    assert.deepEqual([...Deno.readDirSync(outside)], []);
  }
  for (
    const wrong of [
      [["go", 0, 0]],
      [file, ["go", 0, 0]],
      [file, ["ask", 0], ["go", 1, 0]],
      [file, ["ask", 1]],
      [file, ["ask", 0], ["ask", 0]],
      [file, ["ask", 0], ["go", 0, 0], new Uint8Array(5)],
      Array.from({ length: 5_000 }, (_, index) => ["f", `${index}`, 1, 0o644, 0]),
    ] as SentRecord[][]
  ) {
    await assert.rejects(sendAll(to, wrong), ProtocolError);
  }
  assert.deepEqual(parts(to), []);
});

Deno.test("copy: what nobody has resumed for a week is removed, whatever its time says", async () => {
  using folder = temporaryFolder();
  const to = `${folder.path}/to`;
  Deno.mkdirSync(to);
  Deno.writeTextFileSync(`${folder.path}/a`, "a");
  const part = ".minime-0123456789abcdef.part";
  for (const name of [part, ".minime-other.part"]) {
    Deno.writeTextFileSync(`${to}/${name}`, "");
    // As of a file on its way, whose time is old.
    Deno.utimeSync(`${to}/${name}`, 1, 1);
  }
  const source = [`${folder.path}/a`];
  await copy({ sources: source, to });
  assert.deepEqual(names(to), [part, ".minime-other.part", "a"]);
  Deno.removeSync(`${to}/a`);
  await copy({ sources: source, to, now: Date.now() + 8 * 86_400_000 });
  assert.deepEqual(names(to), [".minime-other.part", "a"]);
});

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

async function sendAll(to: string, records: readonly SentRecord[]): Promise<void> {
  const pieces = async function* () {
    yield* await Promise.resolve(packed(records));
  };
  const receiving = receiveFiles(pieces(), await receiverOptions(to, true));
  while (!(await receiving.next()).done);
}
