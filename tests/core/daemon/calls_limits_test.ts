// What a peer may do on a conduit of calls, and how much of it.

import assert from "node:assert/strict";
import type { Serve } from "../../../core/daemon/incoming.ts";
import { UserLimits } from "../../../core/daemon/user_limits.ts";
import { CallError } from "../../../core/errors.ts";
import {
  INCOMING_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  USER_REQUESTS_PER_SECOND_MAX,
  USER_STREAMS_MAX,
} from "../../../core/limits.ts";
import { KIND, type Message } from "../../../core/wire/message.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { quiet } from "../../support/wait.ts";
import { message, takeAll, Taker } from "../conduit/messages.ts";
import { callPair, handDriven, isError, never, serving } from "./call_pairs.ts";

Deno.test("peer: one that breaks the rules is cut, and what is pending does not wait for its goodbye", async () => {
  const bad: [string, Message[]][] = [
    ["Stream 2 is not for the peer to start", [
      message({}, { kind: KIND.request, verb: "a.b", stream: 2 }),
    ]],
    ["Stream 0 is not for the peer to start", [
      message({}, { kind: KIND.request, verb: "a.b", stream: 0 }),
    ]],
    ["Stream sends without credit: 4194304 bytes are unread", [
      message({}, { kind: KIND.request, verb: "a.b", stream: 1 }),
      message(new Uint8Array(MESSAGE_BYTES_MAX - 16), { stream: 1 }),
      message(1, { stream: 1 }),
    ]],
  ];
  for (const [text, messages] of bad) {
    const { calls, hand } = handDriven({ serve: never });
    const pending = calls.request("a.b");
    for (const each of messages) await hand.send(each);
    await assert.rejects(pending, isError("unreachable", `Connection is gone: ${text}`));
    const [{ error }] = await Promise.all([takeAll(hand), calls.done]);
    assert.equal(error, undefined);
    assert.equal((await hand.closed).text, text);
  }
});

Deno.test("peer: what comes late or for nothing is ignored", async () => {
  const { calls, hand } = handDriven({ serve: ({ body }) => body }, true);
  const taker = new Taker(hand);
  const call = calls.request("a.b", 1);
  const { stream } = await taker.next();
  for (const kind of [KIND.item, KIND.end, KIND.error, KIND.credit, KIND.cancel]) {
    await hand.send(message(1, { kind, stream: stream + 2 }));
    await hand.send(message(1, { kind, stream: 8 }));
  }
  await hand.send(message("yes", { kind: KIND.end, stream }));
  for (const kind of [KIND.end, KIND.error, KIND.item]) {
    await hand.send(message("no", { kind, stream }));
  }
  assert.equal(await call, "yes");
  await hand.send(message("still", { kind: KIND.request, verb: "a.b", stream: 2 }));
  const answer = await taker.next();
  assert.deepEqual([answer.kind, answer.stream, answer.body], [KIND.end, 2, "still"]);
  const rest = taker.rest();
  await calls.close("over");
  await rest;
});

Deno.test("peer: an error that is none is still a failure", async () => {
  for (const body of [undefined, 1, "x", [], { class: "made-up", message: 3, detail: "x" }]) {
    const { calls, hand } = handDriven({}, true);
    const taker = new Taker(hand);
    const call = calls.request("a.b");
    const { stream } = await taker.next();
    await hand.send(message(body, { kind: KIND.error, stream }));
    await assert.rejects(call, isError("failed", "Failed without a reason"));
    const rest = taker.rest();
    await calls.close("over");
    await rest;
  }
});

Deno.test("limits: more requests at once than allowed are busy, and running ones go on", async () => {
  const release: (() => void)[] = [];
  const serve: Serve = () => new Promise<string>((resolve) => release.push(() => resolve("done")));
  await using pair = callPair({}, { serve, streamsMax: 3 });
  const running = [1, 2, 3].map(() => pair.near.request("a.b"));
  await quiet();
  await assert.rejects(
    pair.near.request("a.b"),
    isError("busy", "More than 3 requests at once"),
  );
  release.shift()?.();
  assert.equal(await running[0], "done");
  const next = pair.near.request("a.b");
  await quiet();
  for (const each of release.splice(0)) each();
  assert.deepEqual(await Promise.all([...running, next]), Array(4).fill("done"));
});

Deno.test("limits: of one user are shared by all the conduits of that user", async () => {
  const clock = new ManualClock();
  const limits = new UserLimits(clock);
  const serve: Serve = ({ body }) => body === "wait" ? never() : body;
  await using one = callPair({}, { serve, limits }, { clock });
  await using other = callPair({}, { serve, limits }, { clock });
  for (let i = 0; i < USER_REQUESTS_PER_SECOND_MAX; i++) {
    assert.equal(await (i % 2 === 0 ? one : other).near.request("a.b", i), i);
  }
  const rate = isError("busy", "More requests per second than allowed");
  await assert.rejects(one.near.request("a.b"), rate);
  await assert.rejects(other.near.request("a.b"), rate);
  await clock.advance(1_000 / USER_REQUESTS_PER_SECOND_MAX);
  assert.equal(await other.near.request("a.b", "one more"), "one more");
  await assert.rejects(one.near.request("a.b"), rate);

  const waiting: Promise<unknown>[] = [];
  while (waiting.length < USER_STREAMS_MAX) {
    await clock.advance(1_000 / USER_REQUESTS_PER_SECOND_MAX);
    const { near } = waiting.length % 2 === 0 ? one : other;
    waiting.push(
      assert.rejects(near.request("a.b", "wait", { deadlineMs: 0 }), isError("unreachable")),
    );
  }
  await clock.advance(10_000);
  await assert.rejects(
    one.near.request("a.b"),
    isError("busy", `More than ${USER_STREAMS_MAX} requests at once`),
  );
});

Deno.test("event: is executed and never answered, whatever becomes of it", async () => {
  const seen: unknown[] = [];
  const bugs: string[] = [];
  let items = 0;
  const serve = serving({
    "a.note": ({ body }) => void seen.push(body),
    "a.bug": () => {
      throw new TypeError("oops");
    },
    "a.items": async function* () {
      for (;;) yield items++;
    },
  });
  await using pair = callPair({}, { serve, onBug: (error, verb) => bugs.push(`${verb} ${error}`) });
  for (const verb of ["a.note", "a.bug", "a.items", "a.unknown", "a.note"]) {
    await pair.near.tell(verb, verb);
  }
  await quiet();
  assert.deepEqual(seen, ["a.note", "a.note"]);
  assert.deepEqual(bugs, ["a.bug TypeError: oops"]);
  // A stream that nobody reads and nobody can stop does not even begin.
  assert.equal(items, 0);
  assert.equal(pair.far.incomingCount, 0);
});

Deno.test("event: counts like a request, and its handler ends with the conduit", async () => {
  let started = 0;
  const ended: string[] = [];
  const serve: Serve = async ({ signal }) => {
    started++;
    signal.addEventListener("abort", () => ended.push((signal.reason as CallError).class));
    await never();
  };
  const pair = callPair({}, { serve, streamsMax: 5 });
  for (let i = 0; i < 20; i++) await pair.near.tell("a.b", i);
  await quiet();
  assert.equal(started, 5);
  await assert.rejects(pair.near.request("a.b"), isError("busy"));
  pair.cut();
  await pair.far.done;
  assert.deepEqual(ended, Array(5).fill("unreachable"));
});

Deno.test("streams: their numbers wrap, step over those in use, and keep their parity", async () => {
  for (
    const [dialled, firstStream, expected] of [
      [true, 0xffff_fffd, [0xffff_fffd, 0xffff_ffff, 1, 3]],
      [false, 0xffff_fffc, [0xffff_fffc, 0xffff_fffe, 2, 4]],
    ] as const
  ) {
    const { calls, hand } = handDriven({ firstStream }, dialled);
    const taker = new Taker(hand);
    const seen: number[] = [];
    for (let i = 0; i < 4; i++) {
      calls.stream("a.b");
      seen.push((await taker.next()).stream);
    }
    assert.deepEqual(seen, expected);
    const rest = taker.rest();
    await calls.close("over");
    await rest;
  }
});

Deno.test("streams: a number that is still in use at the callee is busy, and harms nobody", async () => {
  const { calls, hand } = handDriven({ serve: never });
  const taker = new Taker(hand);
  const request = message({}, { kind: KIND.request, verb: "a.b", stream: 5 });
  await hand.send({ ...request });
  await hand.send({ ...request });
  const { kind, stream, body } = await taker.next();
  assert.deepEqual([kind, stream, (body as CallError).class], [KIND.error, 5, "busy"]);
  assert.equal(calls.incomingCount, 1);
  const rest = taker.rest();
  await calls.close("over");
  await rest;
});

Deno.test("limits: bodies and unread items of one peer are bounded together, however many its requests", async () => {
  const serve = serving({
    "a.hangs": never,
    "a.echo": ({ body }) => body,
    "a.begins": async ({ input }) => {
      for await (const _ of input);
    },
  });
  const { calls, hand } = handDriven({ serve });
  const taker = new Taker(hand);
  const begun = 9_999;
  await hand.send(message(undefined, { kind: KIND.request, verb: "a.begins", stream: begun }));
  const large = new Uint8Array(MESSAGE_BYTES_MAX - 16);
  const count = INCOMING_BYTES_MAX / MESSAGE_BYTES_MAX;
  for (let i = 0; i < count; i++) {
    // Half of it in bodies, half in items that nobody reads.
    const body = i % 2 === 0 ? large : undefined;
    await hand.send(message(body, { kind: KIND.request, verb: "a.hangs", stream: 2 * i + 1 }));
    if (i % 2 === 1) {
      await hand.send(message(large.subarray(32), { kind: KIND.item, stream: 2 * i + 1 }));
    }
  }
  const text = `More than ${INCOMING_BYTES_MAX} bytes of requests at once`;
  const last = 2 * count + 1;
  await hand.send(message(large, { kind: KIND.request, verb: "a.echo", stream: last }));
  const refused = await taker.next();
  assert.deepEqual([refused.stream, refused.kind], [last, KIND.error]);
  assert.deepEqual(refused.body, { class: "busy", message: text });
  // Whoever is told "busy" believes that nothing was done, and asks again.
  await hand.send(message(large, { kind: KIND.item, stream: begun }));
  const given = await taker.next();
  assert.deepEqual([given.stream, given.kind], [begun, KIND.error]);
  assert.deepEqual(given.body, { class: "failed", message: text });
  const done = calls.done;
  await hand.close("over");
  await taker.rest();
  await done;
});

Deno.test("limits: what was read and answered makes room again", async () => {
  const serve = serving({
    "a.sum": async ({ input }) => {
      let bytes = 0;
      for await (const item of input) bytes += (item as Uint8Array).length;
      return bytes;
    },
  });
  await using pair = callPair({}, { serve });
  const size = 900_000;
  const items = Math.ceil(2 * INCOMING_BYTES_MAX / size);
  const call = pair.near.stream("a.sum");
  for (let i = 0; i < items; i++) await call.send(new Uint8Array(size));
  await call.end();
  assert.equal(await call.reply, items * size);
});
