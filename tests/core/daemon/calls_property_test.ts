// Many calls at once, of every kind, in both directions, with cancels in between: each ends exactly
// once, and as a model of it says. And a ring of ends that call on through each other.

import assert from "node:assert/strict";
import type { Calls } from "../../../core/daemon/calls.ts";
import type { Serve } from "../../../core/daemon/incoming.ts";
import { CALL_ERROR_CLASSES, CallError } from "../../../core/errors.ts";
import { PRIORITY } from "../../../core/wire/message.ts";
import { Dice, runs, SEED } from "../../support/fuzz.ts";
import { turn } from "../../support/wait.ts";
import { numbered } from "../conduit/messages.ts";
import { callPair } from "./call_pairs.ts";

/** Turns of the event loop that a handler takes its time. */
async function linger(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await turn();
}

interface Args {
  readonly turns: number;
  readonly size: number;
  readonly count: number;
}

const serve: Serve = ({ verb, body, input, signal }) => {
  const { turns, size, count } = body as Args;
  switch (verb) {
    case "m.echo":
      return linger(turns).then(() => numbered(size, count));
    case "m.fail":
      return linger(turns).then(() => {
        throw new CallError(CALL_ERROR_CLASSES[count % CALL_ERROR_CLASSES.length]!, `Nr. ${count}`);
      });
    case "m.items":
      return (async function* () {
        for (let i = 0; i < count; i++) {
          if (i % 5 === 0) await linger(turns);
          yield numbered(size, i);
        }
        return count;
      })();
    case "m.sum":
      return (async () => {
        let sum = 0;
        for await (const item of input) sum += (item as Uint8Array).length;
        return sum;
      })();
    case "m.both":
      return (async function* () {
        let seen = 0;
        for await (const item of input) {
          seen++;
          yield item;
        }
        return seen;
      })();
    default:
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason))
      );
  }
};

/** Makes one call and says whether it came out as it must. */
async function play(caller: Calls, dice: Dice): Promise<string> {
  const verb = dice.pick(["m.echo", "m.fail", "m.items", "m.sum", "m.both", "m.cancel"]);
  const args = {
    turns: dice.below(5),
    size: dice.pick([0, 10, 1_000, 20_000, 70_000]),
    count: dice.below(25),
  };
  const priority = dice.pick([PRIORITY.bulk, PRIORITY.normal, PRIORITY.control]);
  const call = caller.stream(verb, args, { priority, deadlineMs: 0 });
  const expected = (items: number) =>
    Array.from({ length: items }, (_, i) => numbered(args.size, i));
  switch (verb) {
    case "m.echo":
      assert.deepEqual(await call.reply, numbered(args.size, args.count));
      break;
    case "m.fail":
      await assert.rejects(call.reply, {
        class: CALL_ERROR_CLASSES[args.count % CALL_ERROR_CLASSES.length],
        message: `Nr. ${args.count}`,
      });
      break;
    case "m.items":
      assert.deepEqual(await Array.fromAsync(call), expected(args.count));
      assert.equal(await call.reply, args.count);
      break;
    case "m.cancel":
      await linger(args.turns);
      call.cancel();
      await assert.rejects(call.reply, { class: "cancelled" });
      break;
    default: {
      const sending = (async () => {
        for (let i = 0; i < args.count; i++) await call.send(numbered(args.size, i));
        await call.end();
      })();
      const [items] = await Promise.all([Array.fromAsync(call), sending]);
      assert.deepEqual(items, verb === "m.both" ? expected(args.count) : []);
      assert.equal(await call.reply, verb === "m.both" ? args.count : args.size * args.count);
    }
  }
  return verb;
}

Deno.test("calls: many at once, both ways, end each once and as the model says", async () => {
  const dice = new Dice(SEED);
  for (let run = 0; run < runs(25).numRuns; run++) {
    const capacity = dice.pick([1_000, 65_536, 1_000_000]);
    const readMax = dice.pick([500, 1e6]);
    const pair = callPair({ serve }, { serve }, { capacity, readMax });
    const calls = Array.from(
      { length: 30 },
      (_, i) => play(i % 2 === 0 ? pair.near : pair.far, new Dice(dice.below(1e9))),
    );
    await Promise.all(calls);
    await Promise.all([pair.near.idle(), pair.far.idle()]);
    for (const end of [pair.near, pair.far]) {
      assert.deepEqual([end.incomingCount, end.outgoingCount], [0, 0]);
    }
    await pair[Symbol.asyncDispose]();
    assert.equal(pair.clock.timers, 0);
  }
});

Deno.test("calls: a connection that breaks at any moment ends each call once", async () => {
  const dice = new Dice(SEED);
  for (let run = 0; run < runs(40).numRuns; run++) {
    const pair = callPair({ serve }, { serve }, { capacity: 20_000 });
    const calls = Array.from(
      { length: 20 },
      (_, i) => play(i % 2 === 0 ? pair.near : pair.far, new Dice(dice.below(1e9))),
    );
    const settled = Promise.allSettled(calls);
    await linger(dice.below(40));
    pair.cut();
    await settled;
    await Promise.all([pair.near.done, pair.far.done]);
    await Promise.all([pair.near.idle(), pair.far.idle()]);
    for (const end of [pair.near, pair.far]) {
      assert.deepEqual([end.incomingCount, end.outgoingCount], [0, 0]);
    }
    assert.equal(pair.clock.timers, 0);
  }
});

Deno.test("ring: ends that call on through each other with narrow pipes between do not deadlock", async () => {
  const size = 5;
  const next: Calls[] = [];
  const pass = (at: number): Serve => async ({ body }) => {
    const { hops, load } = body as { hops: number; load: Uint8Array };
    if (hops === 0) return load;
    return await (next[at] as Calls).request("r.pass", { hops: hops - 1, load }, { deadlineMs: 0 });
  };
  const pairs = Array.from(
    { length: size },
    // What arrives at the far end of pair i is executed by node i + 1, which calls through pair i + 1.
    (_, i) => callPair({}, { serve: pass((i + 1) % size) }, { capacity: 10_000 }),
  );
  for (const pair of pairs) next.push(pair.near);
  const load = numbered(100_000);
  const calls = Array.from(
    { length: 40 },
    (_, i) => pairs[i % size]!.near.request("r.pass", { hops: 11, load }, { deadlineMs: 0 }),
  );
  for (const reply of await Promise.all(calls)) assert.deepEqual(reply, load);
  await Promise.all(pairs.map((pair) => pair[Symbol.asyncDispose]()));
});
