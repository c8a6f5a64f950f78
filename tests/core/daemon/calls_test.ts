import assert from "node:assert/strict";
import type { Incoming, Serve } from "../../../core/daemon/incoming.ts";
import { UserLimits } from "../../../core/daemon/user_limits.ts";
import {
  AuthenticationError,
  CALL_ERROR_CLASSES,
  CallError,
  type CallErrorClass,
  FileError,
} from "../../../core/errors.ts";
import {
  CALL_MS_DEFAULT,
  MESSAGE_BYTES_MAX,
  USER_REQUESTS_PER_SECOND_MAX,
  USER_STREAMS_MAX,
} from "../../../core/limits.ts";
import { KIND, type Message } from "../../../core/wire/message.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { outcome, quiet } from "../../support/wait.ts";
import { message, takeAll, Taker } from "../conduit/messages.ts";
import { callPair, handDriven } from "./call_pairs.ts";

type Handlers = Readonly<Record<string, (incoming: Incoming) => unknown>>;

/** Executes by verb. */
function serving(handlers: Handlers): Serve {
  return (incoming) => {
    const handler = handlers[incoming.verb];
    if (handler === undefined) throw new CallError("unknown-verb", `No "${incoming.verb}" here`);
    return handler(incoming);
  };
}

const isError = (errorClass: CallErrorClass, text?: string) => (error: unknown) => {
  assert.ok(error instanceof CallError, String(error));
  assert.equal(error.class, errorClass, error.message);
  if (text !== undefined) assert.equal(error.message, text);
  return true;
};

const never = () => new Promise<never>(() => {});

Deno.test("calls: a request gets the reply of its handler, in both directions", async () => {
  const serve = serving({ "a.echo": ({ body }) => body, "a.nothing": () => undefined });
  await using pair = callPair({ serve }, { serve });
  for (const caller of [pair.near, pair.far]) {
    for (const body of [1, "two", { three: [3] }, new Uint8Array(3), null]) {
      assert.deepEqual(await caller.request("a.echo", body), body);
    }
    assert.equal(await caller.request("a.nothing", {}), undefined);
  }
});

Deno.test("calls: errors of every class travel, with their detail", async () => {
  const serve: Serve = ({ body }) => {
    throw new CallError(body as CallErrorClass, `It was ${body}`, { detail: { of: [body] } });
  };
  await using pair = callPair({}, { serve });
  for (const errorClass of CALL_ERROR_CLASSES) {
    await assert.rejects(pair.near.request("a.b", errorClass), (error: unknown) => {
      isError(errorClass, `It was ${errorClass}`)(error);
      assert.deepEqual((error as CallError).detail, { of: [errorClass] });
      return true;
    });
  }
});

Deno.test("calls: our own errors tell their text, a bug tells only the log", async () => {
  const bugs: [unknown, string][] = [];
  const serve = serving({
    "a.file": () => {
      throw new FileError("no-space", 'Could not write "/x": no space');
    },
    "a.authentication": () => {
      throw new AuthenticationError("revoked", "Key is revoked");
    },
    "a.bug": () => {
      throw new TypeError("secret of the implementation");
    },
    "a.string": () => Promise.reject("secret too"),
  });
  const onBug = (error: unknown, verb: string) => bugs.push([error, verb]);
  await using pair = callPair({}, { serve, onBug });
  const { near } = pair;
  await assert.rejects(near.request("a.file"), isError("failed", 'Could not write "/x": no space'));
  await assert.rejects(near.request("a.authentication"), isError("refused", "Key is revoked"));
  assert.equal(bugs.length, 0);
  const hidden = isError("failed", "Internal error; the daemon's log has it");
  await assert.rejects(near.request("a.bug"), hidden);
  await assert.rejects(near.request("a.string"), hidden);
  assert.deepEqual(bugs.map(([error, verb]) => [String(error), verb]), [
    ["TypeError: secret of the implementation", "a.bug"],
    ["secret too", "a.string"],
  ]);
});

Deno.test("calls: an end that executes nothing says so", async () => {
  await using pair = callPair({}, {});
  const text = 'Nothing here executes "a.b"';
  await assert.rejects(pair.near.request("a.b"), isError("unknown-verb", text));
});

Deno.test("calls: a reply, item or error that cannot be sent is a failure, never a silence", async () => {
  const bugs: string[] = [];
  const serve = serving({
    "a.date": () => new Date(0),
    "a.large": () => new Uint8Array(MESSAGE_BYTES_MAX + 1),
    "a.detail": () => {
      throw new CallError("busy", "Busy", { detail: { until: new Date(0) } });
    },
    "a.items": async function* () {
      yield 1;
      yield new Map();
    },
  });
  await using pair = callPair({}, { serve, onBug: (error) => bugs.push(String(error)) });
  const hidden = isError("failed", "Internal error; the daemon's log has it");
  for (const verb of ["a.date", "a.large", "a.detail", "a.items"]) {
    await assert.rejects(pair.near.request(verb), hidden);
  }
  assert.deepEqual(bugs.map((text) => text.slice(0, 48)), [
    'TypeError: Answer of "a.date" cannot be sent: Ca',
    'TypeError: Answer of "a.large" cannot be sent: M',
    'TypeError: Answer of "a.detail" cannot be sent: ',
    'TypeError: Item of "a.items" cannot be sent: Can',
  ]);
});

Deno.test("calls: arguments that cannot be sent fail the call alone", async () => {
  await using pair = callPair({}, { serve: ({ body }) => body });
  await assert.rejects(pair.near.request("a.b", new Date(0)), isError("invalid"));
  await assert.rejects(pair.near.request("x".repeat(256)), isError("invalid"));
  assert.equal(await pair.near.request("a.b", 1), 1);
});

Deno.test("deadline: the caller gives up, the handler is told, and nothing is left", async () => {
  const aborted: unknown[] = [];
  let patience = 0;
  const serve: Serve = async ({ signal, deadlineMs }) => {
    patience = deadlineMs;
    signal.addEventListener("abort", () => aborted.push(signal.reason));
    await never();
  };
  const clock = new ManualClock();
  await using pair = callPair({}, { serve }, { clock });
  const call = pair.near.request("a.slow", {}, { deadlineMs: 1_000 });
  await clock.advance(999);
  assert.equal((await outcome(call)).state, "pending");
  assert.equal(patience, 1_000);
  const failing = assert.rejects(call, isError("timeout", 'No answer to "a.slow" within 1000 ms'));
  await clock.advance(1);
  await failing;
  assert.equal(aborted.length, 1);
  isError("cancelled", "Cancelled by the caller")(aborted[0]);
  assert.equal(clock.timers, 0);
});

Deno.test("deadline: ends the handler of a caller that says nothing more", async () => {
  const { calls, clock, hand } = handDriven({
    serve: ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("x")))),
  });
  const taker = new Taker(hand);
  const change = { kind: KIND.request, verb: "a.slow", stream: 1, deadlineMs: 1_000 };
  await hand.send(message({}, change));
  await clock.advance(1_000);
  const { kind, body } = await taker.next();
  assert.deepEqual([kind, body], [
    KIND.error,
    { class: "timeout", message: 'Deadline of "a.slow" has passed' },
  ]);
  const rest = taker.rest();
  await calls.close("over");
  await rest;
});

Deno.test("deadline: counts from the arrival, also for a handler that looks at it late", async () => {
  const { calls, clock, hand } = handDriven({
    serve: async (incoming) => {
      await clock.sleep(600);
      await clock.sleep(600, { signal: incoming.signal });
      return "too late";
    },
  });
  const taker = new Taker(hand);
  const change = { kind: KIND.request, verb: "a.slow", stream: 1, deadlineMs: 1_000 };
  await hand.send(message({}, change));
  await clock.advance(999);
  assert.equal(calls.incomingCount, 1);
  await clock.advance(1);
  await quiet();
  assert.equal(calls.incomingCount, 0);
  assert.equal((await taker.next()).kind, KIND.error);
  const rest = taker.rest();
  await calls.close("over");
  await rest;
});

Deno.test("deadline: who has no patience left does not call, and 0 means to wait for ever", async () => {
  let calls = 0;
  const clock = new ManualClock();
  const serve: Serve = async (incoming) => {
    calls++;
    assert.equal(incoming.deadlineMs, 0);
    await clock.sleep(10 * CALL_MS_DEFAULT);
    return "at last";
  };
  await using pair = callPair({}, { serve }, { clock });
  for (const deadlineMs of [-1, -Infinity, NaN]) {
    const text = 'No time is left to call "a.b"';
    await assert.rejects(pair.near.request("a.b", {}, { deadlineMs }), isError("timeout", text));
  }
  assert.equal(calls, 0);
  const call = pair.near.request("a.b", {}, { deadlineMs: 0 });
  await clock.advance(10 * CALL_MS_DEFAULT);
  assert.equal(await call, "at last");
});

Deno.test("cancel: travels, ends the handler and its generator, and the caller at once", async () => {
  const log: string[] = [];
  const serve = serving({
    "a.wait": async ({ signal }) => {
      signal.addEventListener(
        "abort",
        () => log.push(`abort ${(signal.reason as CallError).class}`),
      );
      await never();
    },
    "a.items": async function* ({ signal }) {
      try {
        for (let i = 0;; i++) {
          yield i;
          if (i > 3) await new Promise((resolve) => signal.addEventListener("abort", resolve));
        }
      } finally {
        log.push("finally");
      }
    },
  });
  await using pair = callPair({}, { serve });
  const waiting = pair.near.stream("a.wait");
  const items = pair.near.stream("a.items");
  await quiet();
  waiting.cancel("changed my mind");
  waiting.cancel("again");
  items.cancel();
  await assert.rejects(waiting.reply, isError("cancelled", "changed my mind"));
  await assert.rejects(items.reply, isError("cancelled", "Cancelled"));
  await quiet();
  assert.deepEqual(log, ["abort cancelled", "finally"]);
});

Deno.test("cancel: by the caller's signal, also one that has come before", async () => {
  let served = 0;
  const serve: Serve = () => (served++, never());
  await using pair = callPair({}, { serve });
  const controller = new AbortController();
  const call = assert.rejects(
    pair.near.request("a.b", {}, { signal: controller.signal }),
    isError("cancelled", "Cancelled: ^C"),
  );
  await quiet();
  controller.abort(new Error("^C"));
  await call;
  const { signal } = controller;
  await assert.rejects(pair.near.request("a.b", {}, { signal }), isError("cancelled"));
  const timeout = new CallError("timeout", "Enough");
  await assert.rejects(
    pair.near.request("a.b", {}, { signal: AbortSignal.abort(timeout) }),
    isError("timeout", "Enough"),
  );
  assert.equal(served, 1);
});

Deno.test("conduit's death: fails what was pending on it at once and stops its handlers, both ways", async () => {
  const aborted: CallErrorClass[] = [];
  const serve: Serve = async ({ signal }) => {
    signal.addEventListener("abort", () => aborted.push((signal.reason as CallError).class));
    await never();
  };
  const pair = callPair({ serve }, { serve });
  const calls = [
    ...[1, 2, 3].map(() => pair.near.request("a.b")),
    pair.far.request("a.b"),
  ].map((call) => assert.rejects(call, isError("unreachable")));
  const stream = pair.near.stream("a.b");
  await quiet();
  assert.deepEqual([pair.near.incomingCount, pair.far.incomingCount], [1, 4]);
  assert.equal(pair.near.outgoingCount, 4);
  pair.cut();
  await Promise.all(calls);
  await assert.rejects(Array.fromAsync(stream), isError("unreachable"));
  assert.deepEqual([(await pair.near.done).by, (await pair.far.done).by], ["failure", "failure"]);
  assert.deepEqual(aborted, Array(5).fill("unreachable"));
  await assert.rejects(pair.near.request("a.b"), isError("unreachable"));
  await assert.rejects(stream.send(1), isError("unreachable"));
  assert.equal(pair.clock.timers, 0);
});

Deno.test("conduit's death: an orderly close fails what was pending too", async () => {
  const pair = callPair({}, { serve: never });
  const call = assert.rejects(
    pair.near.request("a.b"),
    isError("unreachable", "Connection is gone: going home"),
  );
  await quiet();
  await pair.far.close("going home");
  await call;
});

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

Deno.test("idle: waits for what is running, also when it is asked by what is running", async () => {
  const done = Promise.withResolvers<void>();
  let idle: Promise<void> | undefined;
  const serve: Serve = () => {
    idle = pair.far.idle();
    return done.promise;
  };
  const pair = callPair({}, { serve });
  const call = pair.near.request("a.b");
  await quiet();
  assert.equal((await outcome(idle as Promise<void>)).state, "pending");
  done.resolve();
  await Promise.all([call, idle]);
  await pair.far.idle();
  await pair[Symbol.asyncDispose]();
});

Deno.test("heard: tells when the peer last said anything", async () => {
  await using pair = callPair({}, { serve: ({ body }) => body });
  assert.equal(pair.near.heardAt, 0);
  await pair.clock.advance(500);
  await pair.near.request("a.b");
  assert.deepEqual([pair.near.heardAt, pair.far.heardAt], [500, 500]);
});
