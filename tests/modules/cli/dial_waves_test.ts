import assert from "node:assert/strict";
import { dialInWaves, DIALS_AT_ONCE_MAX, NEXT_NODE_MS } from "../../../modules/cli/dial_waves.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { quiet } from "../../support/wait.ts";

const MANY = Array.from({ length: 1_000 }, (_, index) => index);

function makeScene(targets: readonly number[]) {
  const clock = new ManualClock();
  const dialled: number[] = [];
  const ends: (() => void)[] = [];
  const { promise: over, resolve } = Promise.withResolvers<void>();
  let isOver = false;
  const attempt = (target: number) => {
    dialled.push(target);
    return new Promise<void>((end) => ends.push(end));
  };
  const done = dialInWaves(targets, attempt, { clock, isOver: () => isOver, over });
  const finish = () => {
    isOver = true;
    resolve();
  };
  return { clock, dialled, ends, finish, done };
}

Deno.test("dial waves: while nobody answers, each time twice as many are dialled", async () => {
  const { clock, dialled, finish, done } = makeScene(MANY);
  for (const count of [1, 3, 7, 15, 31, 63, 127]) {
    assert.equal(dialled.length, count);
    await clock.advance(NEXT_NODE_MS);
  }
  assert.deepEqual(dialled, MANY.slice(0, dialled.length));
  finish();
  await done;
  assert.equal(clock.timers, 0);
});

// Thousands were dialled at once after three seconds, and the process had no files left.
Deno.test("dial waves: no more than the limit are under way, and each end makes room for one", async () => {
  const { clock, dialled, ends, finish, done } = makeScene(MANY);
  for (let i = 0; i < 20; i++) await clock.advance(NEXT_NODE_MS);
  assert.equal(dialled.length, DIALS_AT_ONCE_MAX);
  ends.shift()?.();
  await quiet();
  assert.equal(dialled.length, DIALS_AT_ONCE_MAX + 1);
  finish();
  await done;
  assert.equal(clock.timers, 0);
});

Deno.test("dial waves: whoever refuses at once costs no time, and when all have, it is over", async () => {
  const { clock, dialled, ends, done } = makeScene(MANY.slice(0, 5));
  for (let count = 1; count <= 5; count++) {
    assert.equal(dialled.length, count);
    ends.shift()?.();
    await quiet();
  }
  await done;
  assert.equal(clock.timers, 0);
});
