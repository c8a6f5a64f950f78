// Deadlines and cancels of calls.

import assert from "node:assert/strict";
import type { Serve } from "../../../core/daemon/incoming.ts";
import { CallError } from "../../../core/errors.ts";
import { CALL_MS_DEFAULT } from "../../../core/limits.ts";
import { KIND } from "../../../core/wire/message.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { outcome, quiet } from "../../support/wait.ts";
import { message, Taker } from "../conduit/messages.ts";
import { callPair, handDriven, isError, never, serving } from "./call_pairs.ts";

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
