/** Bytes between a daemon and a process that copies, however pipes cut them. */

import assert from "node:assert/strict";
import { framed, Framer, readFrames } from "../../../modules/files/frames.ts";

const BODIES = [[1, 2, 3], [], [4], Array.from({ length: 300 }, (_, index) => index % 256)];

async function* cut(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) {
    yield await Promise.resolve(bytes.slice(at, at + length));
  }
}

function all(): Uint8Array {
  return new Uint8Array(BODIES.flatMap((body) => [...framed(Uint8Array.from(body))]));
}

Deno.test("frames: arrive as they were, in pieces of any length", async () => {
  for (const lent of [false, true]) {
    for (const length of [1, 3, 7, 1_000]) {
      const bodies: number[][] = [];
      for await (const frame of readFrames(cut(all(), length), { lent })) bodies.push([...frame]);
      assert.deepEqual(bodies, BODIES);
    }
  }
});

Deno.test("frames: are bytes of their own unless they are lent", async () => {
  const kept: Uint8Array[] = [];
  for await (const frame of readFrames(cut(all(), 5))) kept.push(frame);
  assert.deepEqual(kept.map((frame) => [...frame]), BODIES);
});

Deno.test("frames: one that is made lasts until the next one", () => {
  const framer = new Framer();
  const first = framer.frame(Uint8Array.of(1), Uint8Array.of(2));
  assert.deepEqual([...first], [0, 0, 0, 2, 1, 2]);
  assert.deepEqual([...framer.frame()], [0, 0, 0, 0]);
});

Deno.test("frames: one that breaks off, or is too large, is no frame", async () => {
  const readAll = async (bytes: Uint8Array) => {
    for await (const _ of readFrames(cut(bytes, 4))) { /* read */ }
  };
  const short = all();
  await assert.rejects(readAll(short.subarray(0, short.length - 1)), {
    name: "ProtocolError",
    message: "A frame broke off",
  });
  await assert.rejects(readAll(Uint8Array.of(255, 0, 0, 0)), {
    name: "ProtocolError",
    message: "A frame of 4278190080 bytes",
  });
});
