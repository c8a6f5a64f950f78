/** Many timers on one of the runtime's: their order, and what is left of those that were cancelled. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { TimerQueue } from "../../../core/environment/timer_queue.ts";
import { runs } from "../../support/fuzz.ts";
import { ManualClock } from "../../support/manual_clock.ts";

function makeQueue() {
  const clock = new ManualClock();
  const queue = new TimerQueue({
    monotonic: () => clock.monotonic(),
    wakeAfter: (ms, run) => clock.after(ms, run),
    wakeSoon: (run) => void clock.after(0, run),
  });
  return { clock, queue };
}

Deno.test("timer queue: runs what is due and not cancelled, in the order of times and of asking", async () => {
  const asked = fc.array(
    fc.record({ ms: fc.integer({ min: -1, max: 12 }), cancelled: fc.boolean() }),
    { maxLength: 40 },
  );
  await fc.assert(
    fc.asyncProperty(asked, async (timers) => {
      const { clock, queue } = makeQueue();
      const ran: number[] = [];
      const made = timers.map(({ ms }, index) => queue.after(ms, () => ran.push(index)));
      timers.forEach(({ cancelled }, index) => cancelled && made[index]?.cancel());
      await clock.advance(12);
      const expected = [...timers.entries()].filter(([, { cancelled }]) => !cancelled)
        .sort(([, a], [, b]) => Math.max(0, a.ms) - Math.max(0, b.ms))
        .map(([index]) => index);
      assert.deepEqual(ran, expected);
      assert.equal(queue.size, 0);
      assert.equal(clock.timers, 0);
    }),
    runs(200),
  );
});

Deno.test("timer queue: what a timer sets off is done before the next one of the same moment", async () => {
  const { clock, queue } = makeQueue();
  const order: string[] = [];
  queue.after(5, () => {
    order.push("one");
    void Promise.resolve().then(() => order.push("of one"));
  });
  queue.after(5, () => order.push("two"));
  await clock.advance(5);
  assert.deepEqual(order, ["one", "of one", "two"]);
});

Deno.test("timer queue: one that fails keeps no other back", async () => {
  const { clock, queue } = makeQueue();
  const order: string[] = [];
  queue.after(5, () => {
    throw new Error("A bug");
  });
  queue.after(5, () => order.push("same moment"));
  queue.after(9, () => order.push("later"));
  await assert.rejects(clock.advance(5), /A bug/);
  await clock.advance(9);
  assert.deepEqual(order, ["same moment", "later"]);
});

Deno.test("timer queue: when all are cancelled the runtime waits for nothing", async () => {
  const { clock, queue } = makeQueue();
  const timers = [3, 1, 2].map((ms) => queue.after(ms, () => assert.fail("It was cancelled")));
  assert.equal(clock.timers, 1);
  for (const timer of timers) timer.cancel();
  assert.equal(clock.timers, 0);
  let ran = false;
  queue.after(2, () => ran = true);
  await clock.advance(2);
  assert.ok(ran);
});

Deno.test("timer queue: deadlines that are set and cancelled all the time take no memory", () => {
  const { queue } = makeQueue();
  const beat = queue.after(2_200, () => {});
  for (let count = 0; count < 10_000; count++) queue.after(3_600_000, () => {}).cancel();
  assert.ok(queue.size < 100, `${queue.size} entries`);
  beat.cancel();
  assert.equal(queue.size, 0);
});
