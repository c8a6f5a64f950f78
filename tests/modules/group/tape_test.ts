import assert from "node:assert/strict";
import { TAPE_BYTES_MAX } from "../../../modules/group/limits.ts";
import { Tape } from "../../../modules/group/tape.ts";

const CHUNK = 32 * 1024;

Deno.test("tape: a reader that comes later reads from the beginning, if that is still kept", async () => {
  const tape = new Tape();
  const early = tape.read();
  tape.push("a");
  tape.push("b");
  assert.deepEqual((await early.next()).value, [0, "a"]);
  const late = tape.read();
  assert.deepEqual([(await late.next()).value, (await late.next()).value], [[0, "a"], [1, "b"]]);
  tape.finish();
  assert.equal((await late.next()).done, true);
});

Deno.test("tape: the writer waits for the newest reader, and for one to come", async () => {
  const tape = new Tape();
  let written = 0;
  const write = async () => {
    for (; written < 100; written++) {
      tape.push(new Uint8Array(CHUNK));
      await tape.room();
    }
    tape.finish();
  };
  const writing = write();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(written, 1);
  const old = tape.read();
  await old.next();
  const read: number[] = [];
  for await (const [place] of tape.read()) read.push(place);
  await writing;
  assert.deepEqual(read, Array.from({ length: 100 }, (_, i) => i));
  assert.ok(tape.bytes <= TAPE_BYTES_MAX);
  // Its beginning is gone; what is left knows its places.
  const rest: number[] = [];
  for await (const [place] of tape.read()) rest.push(place);
  assert.deepEqual(rest, Array.from({ length: rest.length }, (_, i) => 100 - rest.length + i));
  assert.ok(rest.length > 4 && rest.length < 9);
});

Deno.test("tape: when the newest reader leaves, the writer waits for the one before it", async () => {
  const tape = new Tape();
  const write = async () => {
    for (let i = 0; i < 100; i++) {
      tape.push(new Uint8Array(CHUNK));
      await tape.room();
    }
    tape.finish();
  };
  const read: number[] = [];
  const old = tape.read();
  const writing = write();
  read.push((await old.next()).value?.[0] ?? -1);
  const newest = tape.read();
  await newest.next();
  await newest.return();
  for await (const [place] of old) read.push(place);
  await writing;
  assert.deepEqual(read, Array.from({ length: 100 }, (_, i) => i));
});

Deno.test("tape: when nobody shall wait any more, the writer does not", async () => {
  const tape = new Tape();
  tape.push(new Uint8Array(TAPE_BYTES_MAX));
  const waiting = tape.room();
  tape.release();
  await waiting;
  tape.forget();
  tape.finish();
  assert.deepEqual([tape.bytes, (await tape.read().next()).done], [0, true]);
});
