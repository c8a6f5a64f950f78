import assert from "node:assert/strict";
import { Calm } from "../../../modules/mesh/calm.ts";
import { CALM_MS, FIRST_VIEW_MS_MAX } from "../../../modules/mesh/limits.ts";
import { ManualClock } from "../../support/manual_clock.ts";

Deno.test("calm: the first shape counts at once, the next ones when nothing new came for a while", async () => {
  const clock = new ManualClock();
  const calm = new Calm(clock);
  const done: number[] = [];
  calm.run(() => done.push(1));
  assert.deepEqual(done, [1]);
  for (const shape of [2, 3, 4]) {
    calm.run(() => done.push(shape));
    await clock.advance(CALM_MS / 2);
  }
  assert.deepEqual(done, [1]);
  await clock.advance(CALM_MS);
  assert.deepEqual(done, [1, 4]);
});

Deno.test("calm: who never finds it waits no longer than its first view may take", async () => {
  const clock = new ManualClock();
  const calm = new Calm(clock);
  const done: number[] = [];
  calm.run(() => done.push(0));
  for (let ms = 0; ms < FIRST_VIEW_MS_MAX + CALM_MS; ms += CALM_MS / 2) {
    calm.run(() => done.push(ms));
    await clock.advance(CALM_MS / 2);
  }
  assert.ok(done.length > 1);
  assert.ok((done[1] as number) >= FIRST_VIEW_MS_MAX - CALM_MS);
});

Deno.test("calm: once stopped it does nothing more", async () => {
  const clock = new ManualClock();
  const calm = new Calm(clock);
  const done: number[] = [];
  calm.run(() => done.push(1));
  calm.run(() => done.push(2));
  calm.stop();
  await clock.advance(FIRST_VIEW_MS_MAX);
  assert.deepEqual(done, [1]);
});
