import assert from "node:assert/strict";
import type { Serve } from "../../../core/daemon/incoming.ts";
import { CallError } from "../../../core/errors.ts";
import { STREAM_CREDIT_BYTES } from "../../../core/limits.ts";
import { KIND } from "../../../core/wire/message.ts";
import { outcome, quiet } from "../../support/wait.ts";
import { message, numbered, Taker } from "../conduit/messages.ts";
import { callPair, handDriven } from "./call_pairs.ts";

const ITEM_BYTES = 64 * 1024;
/** More than any credit and all queues on the way. */
const MANY = 200;
/** Credit, the item that overdraws it, and what waits in pipes that hold 64 KiB each way. */
const IN_FLIGHT_MAX = STREAM_CREDIT_BYTES / ITEM_BYTES + 4;

/** Comparing all bytes of all items would take most of the time of these tests. */
function assertNumbered(item: unknown, start: number): void {
  const expected = numbered(300, start);
  assert.ok(item instanceof Uint8Array && item.length === ITEM_BYTES);
  assert.deepEqual(item.slice(0, 300), expected);
}

/** Yields `count` items and counts them. */
function source(count: number, made: { count: number }): Serve {
  return async function* () {
    for (let i = 0; i < count; i++) {
      made.count++;
      yield numbered(ITEM_BYTES, i);
    }
    return "all";
  };
}

Deno.test("stream: items come in order, and the reply after the last", async () => {
  const serve: Serve = async function* ({ body }) {
    for (let i = 0; i < (body as number); i++) yield { i };
    return "done";
  };
  await using pair = callPair({}, { serve });
  for (const count of [0, 1, 1_000]) {
    const call = pair.near.stream("a.b", count);
    const items = await Array.fromAsync(call);
    assert.deepEqual(items, Array.from({ length: count }, (_, i) => ({ i })));
    assert.equal(await call.reply, "done");
  }
});

Deno.test("stream: a reader who does not read stops the generator, and gets everything later", async () => {
  const made = { count: 0 };
  await using pair = callPair({}, { serve: source(MANY, made) });
  const call = pair.near.stream("a.b");
  await quiet();
  assert.ok(made.count <= IN_FLIGHT_MAX, `${made.count} items were made and none was read`);
  let read = 0;
  for await (const item of call) {
    assertNumbered(item, read);
    read++;
    if (read % 20 === 0) await quiet();
    assert.ok(made.count <= read + IN_FLIGHT_MAX, `${made.count - read} items are in flight`);
  }
  assert.equal(read, MANY);
  assert.equal(await call.reply, "all");
});

Deno.test("stream: a handler who does not read stops the caller, and gets everything later", async () => {
  const start = Promise.withResolvers<void>();
  const sizes: number[] = [];
  const serve: Serve = async ({ input }) => {
    await start.promise;
    for await (const item of input) sizes.push((item as Uint8Array).length);
    return sizes.length;
  };
  await using pair = callPair({}, { serve });
  const call = pair.near.stream("a.b");
  let sent = 0;
  const sending = (async () => {
    for (; sent < MANY; sent++) await call.send(numbered(ITEM_BYTES, sent));
    await call.end();
  })();
  await quiet();
  assert.ok(sent <= IN_FLIGHT_MAX, `${sent} items were sent and none was read`);
  start.resolve();
  await sending;
  assert.equal(await call.reply, MANY);
  assert.ok(sizes.every((size) => size === ITEM_BYTES));
});

Deno.test("stream: who sends without waiting keeps the order and the credit, and the end comes last", async () => {
  // All of them went out at once, and the other end cut the conduit for sending without credit.
  const start = Promise.withResolvers<void>();
  const serve: Serve = async ({ input }) => {
    await start.promise;
    const firsts: number[] = [];
    for await (const item of input) firsts.push((item as Uint8Array)[0] as number);
    return firsts;
  };
  await using pair = callPair({}, { serve }, { capacity: 10_000_000 });
  const call = pair.near.stream("a.b");
  const sends = Array.from({ length: MANY }, (_, i) => call.send(numbered(ITEM_BYTES, i)));
  const ending = call.end();
  await quiet();
  assert.ok(pair.pipes[0].written <= IN_FLIGHT_MAX * ITEM_BYTES, `${pair.pipes[0].written} bytes`);
  assert.equal((await outcome(ending)).state, "pending");
  start.resolve();
  await Promise.all([...sends, ending]);
  assert.deepEqual(await call.reply, Array.from({ length: MANY }, (_, i) => i & 0xff));
});

Deno.test("stream: both ways at once, larger than all credit", async () => {
  const serve: Serve = async function* ({ input }) {
    let count = 0;
    for await (const item of input) {
      count++;
      yield item;
    }
    return count;
  };
  await using pair = callPair({}, { serve });
  const call = pair.near.stream("a.b");
  const sending = (async () => {
    for (let i = 0; i < MANY; i++) await call.send(numbered(ITEM_BYTES, i));
    await call.end();
  })();
  let read = 0;
  for await (const item of call) assertNumbered(item, read++);
  await sending;
  assert.deepEqual([read, await call.reply], [MANY, MANY]);
});

Deno.test("stream: a plain request discards items and is not stopped by them", async () => {
  const made = { count: 0 };
  await using pair = callPair({}, { serve: source(MANY, made) });
  assert.equal(await pair.near.request("a.b"), "all");
  assert.equal(made.count, MANY);
});

Deno.test("stream: an error comes behind the items that were sent before it", async () => {
  const serve: Serve = async function* () {
    yield 1;
    yield 2;
    throw new CallError("failed", "No third");
  };
  await using pair = callPair({}, { serve });
  const call = pair.near.stream("a.b");
  const items: unknown[] = [];
  await assert.rejects(async () => {
    for await (const item of call) items.push(item);
  }, { class: "failed", message: "No third" });
  assert.deepEqual(items, [1, 2]);
  await assert.rejects(call.reply, { message: "No third" });
});

Deno.test("stream: cancel ends a generator that waits for credit, and its finally runs", async () => {
  const made = { count: 0 };
  let finished = false;
  const serve: Serve = async function* (incoming) {
    try {
      yield* source(MANY, made)(incoming) as AsyncGenerator<unknown>;
    } finally {
      finished = true;
    }
  };
  await using pair = callPair({}, { serve });
  const call = pair.near.stream("a.b");
  await quiet();
  assert.equal(finished, false);
  call.cancel();
  await assert.rejects(call.reply, { class: "cancelled" });
  await pair.far.idle();
  assert.equal(finished, true);
  assert.ok(made.count < MANY);
});

Deno.test("stream: the caller's end and cancel reach a handler that reads", async () => {
  const ends: string[] = [];
  const serve: Serve = async ({ input }) => {
    try {
      const items = await Array.fromAsync(input);
      ends.push(`end after ${items}`);
    } catch (error) {
      ends.push(`${(error as CallError).class} while reading`);
      throw error;
    }
    return "read";
  };
  await using pair = callPair({}, { serve });
  const whole = pair.near.stream("a.b");
  await whole.send(1);
  await whole.send(2);
  await whole.end();
  await whole.end();
  assert.equal(await whole.reply, "read");
  const broken = pair.near.stream("a.b");
  await broken.send(1);
  broken.cancel();
  await assert.rejects(broken.reply, { class: "cancelled" });
  await pair.far.idle();
  assert.deepEqual(ends, ["end after 1,2", "cancelled while reading"]);
});

Deno.test("stream: a handler may answer without reading, and the sender is told", async () => {
  await using pair = callPair({}, { serve: () => "no thanks" });
  const call = pair.near.stream("a.b");
  const sends = Array.from({ length: MANY }, () => call.send(numbered(ITEM_BYTES)));
  assert.equal(await call.reply, "no thanks");
  const results = await Promise.allSettled(sends);
  const refused = results.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
  assert.ok(refused.length > MANY / 2);
  for (const { reason } of refused) assert.equal(reason.message, 'Call of "a.b" is over');
  await assert.rejects(call.send(1), { message: 'Call of "a.b" is over' });
  await call.end();
  assert.deepEqual(await Array.fromAsync(call), []);
});

Deno.test("stream: items that nobody has read yet are still there after the reply", async () => {
  const serve: Serve = async function* () {
    yield* [1, 2, 3];
    return "done";
  };
  await using pair = callPair({}, { serve });
  const call = pair.near.stream("a.b");
  assert.equal(await call.reply, "done");
  assert.deepEqual(await Array.fromAsync(call), [1, 2, 3]);
});

Deno.test("stream: credit that is none gives none", async () => {
  const made = { count: 0 };
  const { calls, hand } = handDriven({ serve: source(MANY, made) });
  const taker = new Taker(hand);
  await hand.send(message({}, { kind: KIND.request, verb: "a.b", stream: 1 }));
  await quiet();
  const before = made.count;
  assert.ok(before <= IN_FLIGHT_MAX);
  for (const credit of [-1, 0, 0.5, NaN, Infinity, 2 ** 60, "many", null, undefined, [1]]) {
    await hand.send(message(credit, { kind: KIND.credit, stream: 1 }));
  }
  await quiet();
  assert.equal(made.count, before);
  await hand.send(message(10 * ITEM_BYTES, { kind: KIND.credit, stream: 1 }));
  await quiet();
  assert.ok(made.count > before && made.count <= before + 11, `${made.count - before} more`);
  const rest = taker.rest();
  await calls.close("over");
  await rest;
});

Deno.test("stream: a peer who takes no answers is not worked for without end", async () => {
  let served = 0;
  const serve: Serve = () => (served++, new Uint8Array(1024 * 1024));
  const { calls, hand } = handDriven({ serve, streamsMax: 20 });
  // Nobody reads at the hand's end: its pipe takes what it can, the rest waits here.
  for (let stream = 1; stream < 1_000; stream += 2) {
    await hand.send(message({}, { kind: KIND.request, verb: "a.b", stream }));
  }
  await quiet();
  assert.ok(served < 200, `${served} requests were executed`);
  const taker = new Taker(hand);
  const kinds = new Set((await taker.take(499)).map(({ kind }) => kind));
  assert.deepEqual(kinds, new Set([KIND.end, KIND.error]));
  const rest = taker.rest();
  await calls.close("over");
  await rest;
});
