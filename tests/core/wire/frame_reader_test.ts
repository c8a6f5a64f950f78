import assert from "node:assert/strict";
import { ConnectionError, ProtocolError } from "../../../core/errors.ts";
import { FRAME_BYTES_MAX, PARTIAL_FRAME_MS_MAX } from "../../../core/limits.ts";
import { FrameReader } from "../../../core/wire/frame_reader.ts";
import { Dice, runs, SEED } from "../../support/fuzz.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { memoryPipes } from "../../support/memory_pipe.ts";
import { outcome } from "../../support/wait.ts";

function framed(body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(2 + body.length);
  frame.set([body.length >>> 8, body.length]);
  frame.set(body, 2);
  return frame;
}

const next = async (reader: FrameReader) => (reader.take() ?? await reader.read()).slice();

Deno.test("frame reader: frames of any length come out as they went in, however they arrive", async () => {
  const dice = new Dice(SEED);
  for (let run = 0; run < runs(40).numRuns; run++) {
    const readMax = dice.pick([1, 7, 100, 4_096, 70_000, 1_000_000]);
    const most = readMax < 10 ? 500 : dice.pick([10, 5_000, FRAME_BYTES_MAX]);
    const bodies = Array.from({ length: 30 }, () => dice.bytes(1 + dice.below(most)));
    const [near, far] = memoryPipes({ readMax, capacity: 300_000 });
    const head = framed(bodies[0] as Uint8Array);
    const cut = dice.below(Math.min(head.length, 4_096));
    const reader = new FrameReader(far, new ManualClock(), { received: head.subarray(0, cut) });
    const writing = (async () => {
      await near.write(head.subarray(cut));
      for (const body of bodies.slice(1)) await near.write(framed(body));
    })();
    for (const body of bodies) {
      const got = await next(reader);
      assert.equal(got.length, body.length);
      assert.ok(got.every((byte, i) => byte === body[i]), "other bytes");
    }
    await writing;
    reader.dispose();
  }
});

Deno.test("frame reader: its buffer grows with traffic and shrinks when it is over", async () => {
  const [near, far] = memoryPipes({ capacity: 1_000_000 });
  const reader = new FrameReader(far, new ManualClock());
  const send = async (length: number, count: number) => {
    const sizes: number[] = [];
    for (let i = 0; i < count; i++) {
      await near.write(framed(new Uint8Array(length)));
      sizes.push((reader.take() ?? await reader.read()).buffer.byteLength);
    }
    return sizes;
  };
  assert.deepEqual(await send(100, 3), [4_096, 4_096, 4_096]);
  assert.ok((await send(FRAME_BYTES_MAX, 5)).every((size) => size <= 262_144));
  assert.equal((await send(1, 10)).at(-1), 4_096);
  assert.deepEqual(await send(4_094, 1), [4_096]);
  reader.dispose();
});

Deno.test("frame reader: the end of the pipe is a failure, and says where", async () => {
  for (
    const [bytes, text] of [
      [[], "Connection ended without a goodbye"],
      [[0, 5, 1], "Connection ended without a goodbye in the middle of a frame"],
      [[0], "Connection ended without a goodbye in the middle of a frame"],
    ] as const
  ) {
    const clock = new ManualClock();
    const [near, far] = memoryPipes();
    const reader = new FrameReader(far, clock);
    await near.write(Uint8Array.from(bytes));
    near.close();
    await assert.rejects(reader.read(), (error: unknown) => {
      assert.ok(error instanceof ConnectionError && error.reason === "reset");
      assert.equal(error.message, text);
      return true;
    });
    reader.dispose();
    assert.equal(clock.timers, 0);
  }
});

Deno.test("frame reader: a frame of length 0 is refused", async () => {
  const [near, far] = memoryPipes();
  const reader = new FrameReader(far, new ManualClock());
  await near.write(Uint8Array.of(0, 0));
  await assert.rejects(reader.read(), { message: "Frame of length 0" });
});

Deno.test("frame reader: a frame that is begun must be finished in time, byte by byte or not", async () => {
  const clock = new ManualClock();
  const [near, far] = memoryPipes();
  const reader = new FrameReader(far, clock);
  const reading = reader.read();
  await near.write(Uint8Array.of(1));
  for (let passed = 0; passed < PARTIAL_FRAME_MS_MAX; passed += 1_000) {
    assert.equal((await outcome(reading)).state, "pending");
    await clock.advance(1_000);
    await near.write(Uint8Array.of(0));
  }
  await clock.advance(PARTIAL_FRAME_MS_MAX / 2);
  await assert.rejects(reading, (error: unknown) => {
    assert.ok(error instanceof ProtocolError);
    assert.equal(error.message, `Frame was not finished within ${PARTIAL_FRAME_MS_MAX} ms`);
    return true;
  });
  reader.dispose();
  assert.equal(clock.timers, 0);
});

Deno.test("frame reader: silence between frames may last, and so may a slow consumer", async () => {
  const clock = new ManualClock();
  const [near, far] = memoryPipes();
  const reader = new FrameReader(far, clock);
  const reading = reader.read();
  await clock.advance(100 * PARTIAL_FRAME_MS_MAX);
  await near.write(Uint8Array.of(0, 1, 7, 0, 2, 8));
  assert.deepEqual((await reading).slice(), Uint8Array.of(7));
  await clock.advance(100 * PARTIAL_FRAME_MS_MAX);
  const second = reader.read();
  await clock.advance(PARTIAL_FRAME_MS_MAX / 2);
  await near.write(Uint8Array.of(9));
  assert.deepEqual((await second).slice(), Uint8Array.of(8, 9));
  reader.dispose();
  assert.equal(clock.timers, 0);
});

Deno.test("frame reader: a process that was stopped itself does not blame the peer", async () => {
  // After a pause of ten seconds every conduit with a frame under way was cut.
  const clock = new ManualClock();
  const [near, far] = memoryPipes();
  const reader = new FrameReader(far, clock);
  const reading = reader.read();
  await near.write(Uint8Array.of(0, 2, 8));
  assert.equal((await outcome(reading)).state, "pending");
  clock.jump(100 * PARTIAL_FRAME_MS_MAX);
  await clock.advance(0);
  assert.equal((await outcome(reading)).state, "pending");
  await near.write(Uint8Array.of(9));
  assert.deepEqual((await reading).slice(), Uint8Array.of(8, 9));
  reader.dispose();
});
