/** Input for programs that take turns: each reads all of it, whenever it comes, and nobody waits for its end. */

import assert from "node:assert/strict";
import { RealDisk } from "../../../core/environment/real_disk.ts";
import { FileError } from "../../../core/mod.ts";
import { KeptInput } from "../../../modules/exec/kept_input.ts";
import { INPUT_HERE_BYTES_MAX } from "../../../modules/exec/limits.ts";
import type { InputShare } from "../../../modules/exec/shared_input.ts";
import { Dice, SEED } from "../../support/fuzz.ts";
import { outcome } from "../../support/wait.ts";
import { temporaryFolder } from "../files/scene.ts";

function envIn(folder: string, disk = new RealDisk()) {
  const variable = (name: string) => name === "TMPDIR" ? folder : undefined;
  const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };
  return { disk, processes: { variable }, random } as unknown as ConstructorParameters<
    typeof KeptInput
  >[1];
}

async function all({ bytes }: InputShare): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item);
}

Deno.test("kept input: everybody reads all of it, also what is more than memory shall hold", async () => {
  using folder = temporaryFolder();
  const dice = new Dice(SEED);
  for (const length of [0, 5, INPUT_HERE_BYTES_MAX, INPUT_HERE_BYTES_MAX + 1, 3_000_000]) {
    const whole = dice.bytes(length);
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < length; at += 60_000) chunks.push(whole.subarray(at, at + 60_000));
    using input = new KeptInput(each(chunks), envIn(folder.path));
    const together = [all(input.open()), all(input.open())];
    for (const read of await Promise.all(together)) assert.deepEqual(read, whole);
    assert.deepEqual(await all(input.open()), whole);
    // Whatever becomes of us, nothing of it stays.
    assert.deepEqual([...Deno.readDirSync(folder.path)], []);
  }
});

Deno.test("kept input: what has come is there before the end is", async () => {
  using folder = temporaryFolder();
  const end = Promise.withResolvers<void>();
  const source = async function* () {
    yield new Uint8Array([1]);
    await end.promise;
    yield new Uint8Array([2]);
  };
  using input = new KeptInput(source(), envIn(folder.path));
  const first = input.open().bytes[Symbol.asyncIterator]();
  assert.deepEqual((await first.next()).value, new Uint8Array([1]));
  const next = first.next();
  assert.equal((await outcome(next)).state, "pending");
  // One who has ended, and waits for more, is let go.
  const other = input.open();
  const others = all(other);
  assert.equal((await outcome(others)).state, "pending");
  other[Symbol.dispose]();
  assert.deepEqual(await others, new Uint8Array([1]));
  end.resolve();
  assert.deepEqual((await next).value, new Uint8Array([2]));
  assert.equal((await first.next()).done, true);
});

Deno.test("kept input: everybody gets to know what it broke off with", async () => {
  using folder = temporaryFolder();
  const source = async function* () {
    yield await Promise.resolve(new Uint8Array([1]));
    throw new Error("Broke off");
  };
  using input = new KeptInput(source(), envIn(folder.path));
  for (let reader = 0; reader < 2; reader++) {
    await assert.rejects(all(input.open()), { message: "Broke off" });
  }
});

Deno.test("kept input: a disk without room says what it was for", async () => {
  const disk = new RealDisk();
  disk.create = () => {
    throw new FileError("no-space", 'Could not write "/x": no space left on the disk');
  };
  const much = [new Uint8Array(INPUT_HERE_BYTES_MAX), new Uint8Array(1)];
  using input = new KeptInput(each(much), envIn("/nowhere", disk));
  await assert.rejects(all(input.open()), {
    reason: "no-space",
    message: "Stdin cannot be kept for the nodes that come later: " +
      'Could not write "/x": no space left on the disk',
  });
});
