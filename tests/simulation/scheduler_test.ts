/** The event queue and the seeded randomness under everything simulated. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { SeededRandom } from "./random.ts";
import { Scheduler } from "./scheduler.ts";

Deno.test("scheduler: runs events by time, then in the order they were scheduled", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(20), { maxLength: 200 }), async (times) => {
      const scheduler = new Scheduler();
      const ran: [number, number][] = [];
      times.forEach((time, index) => {
        scheduler.schedule(time, () => {
          assert.equal(scheduler.now, time);
          ran.push([time, index]);
        });
      });
      await scheduler.run();
      assert.deepEqual(ran, [...ran].sort(([a, i], [b, j]) => a - b || i - j));
      assert.equal(ran.length, times.length);
    }),
    { seed: 1, numRuns: 100 },
  );
});

Deno.test("scheduler: forgets cancelled events, however many, and keeps the others", async () => {
  const scheduler = new Scheduler();
  const ran: number[] = [];
  for (let i = 0; i < 10_000; i++) {
    const timer = scheduler.schedule(10_000 - i, () => ran.push(i));
    if (i % 100 !== 0) timer.cancel();
  }
  await scheduler.run();
  assert.deepEqual(ran, Array.from({ length: 100 }, (_, i) => 9_900 - i * 100));
  assert.equal(scheduler.ran, 100);
});

Deno.test("scheduler: refuses to be run twice at once and to wait for NaN", async () => {
  const scheduler = new Scheduler();
  const running = scheduler.run();
  assert.throws(() => scheduler.run(), { message: "The simulation is running already" });
  await running;
  assert.throws(() => scheduler.schedule(NaN, () => {}), {
    message: "An event needs a time, not NaN",
  });
});

Deno.test("random: streams repeat by label and have nothing else in common", () => {
  const first = new SeededRandom("seed 1");
  const words = (random: SeededRandom) => Array.from({ length: 8 }, () => random.word());
  assert.deepEqual(words(first.fork("a")), words(new SeededRandom("seed 1").fork("a")));
  const all = ["a", "b", "aa", ""].flatMap((label) => words(first.fork(label)));
  assert.equal(new Set(all).size, all.length);
});

Deno.test("random: spreads evenly", () => {
  const random = new SeededRandom("even");
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 100_000; i++) counts[random.below(10)]!++;
  for (const count of counts) assert.ok(count > 9_500 && count < 10_500, `${count}`);
});
