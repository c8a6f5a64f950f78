import assert from "node:assert/strict";
import { dialInWaves, DIALS_AT_ONCE_MAX, NEXT_NODE_MS } from "../../../modules/cli/dial_waves.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { quiet } from "../../support/wait.ts";

/** Leaves the last ones four of the ten seconds that connecting may take. */
const TRIED_MS = 6_000;
/** Eight waves and two or three turns. */
const FEW_MS = 3_000;
const MANY = Array.from({ length: 1_000 }, (_, index) => index);

/** A scene with nodes that answer nothing, until they are let go. */
function makeScene(targets: readonly number[]) {
  const clock = new ManualClock();
  const dialled: number[] = [];
  /** In the order in which they were ended. */
  const givenUp: number[] = [];
  const open = new Map<number, () => void>();
  let most = 0;
  const { promise: over, resolve } = Promise.withResolvers<void>();
  let isOver = false;
  const attempt = (target: number, signal: AbortSignal) => {
    dialled.push(target);
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = () => {
      if (open.delete(target)) resolve();
    };
    signal.addEventListener("abort", () => {
      givenUp.push(target);
      end();
    });
    open.set(target, end);
    most = Math.max(most, open.size);
    return promise;
  };
  const done = dialInWaves(targets, attempt, { clock, isOver: () => isOver, over });
  const finish = () => {
    isOver = true;
    resolve();
  };
  const refuse = () => [...open.values()][0]?.();
  return { clock, dialled, givenUp, open, refuse, most: () => most, finish, done };
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

// Thousands were dialled at once after three seconds, and the process had no files left; then the first
// dark ones were waited for, and nobody after them was ever dialled.
Deno.test("dial waves: above the limit the oldest make room, until all are dialled in time", async () => {
  const { clock, dialled, givenUp, open, most, finish, done } = makeScene(MANY);
  for (let ms = 0; ms < TRIED_MS; ms += NEXT_NODE_MS) await clock.advance(NEXT_NODE_MS);
  assert.deepEqual(dialled, MANY);
  assert.equal(most(), DIALS_AT_ONCE_MAX);
  assert.deepEqual(givenUp, MANY.slice(0, MANY.length - DIALS_AT_ONCE_MAX));
  // The last ones have as long as it takes.
  await clock.advance(10_000);
  assert.equal(open.size, DIALS_AT_ONCE_MAX);
  finish();
  await done;
  assert.equal(clock.timers, 0);
});

// Of 300 nodes the last ones were dialled after six seconds, as if there were thousands.
Deno.test("dial waves: a few above the limit need not wait for long, and cost only as many", async () => {
  const few = MANY.slice(0, DIALS_AT_ONCE_MAX + 40);
  const { clock, dialled, givenUp, finish, done } = makeScene(few);
  for (let ms = 0; ms < FEW_MS; ms += NEXT_NODE_MS) await clock.advance(NEXT_NODE_MS);
  assert.deepEqual(dialled, few);
  await clock.advance(10_000);
  assert.deepEqual(givenUp, few.slice(0, 40));
  finish();
  await done;
  assert.equal(clock.timers, 0);
});

Deno.test("dial waves: each end makes room for one at once, and nobody is ended who need not be", async () => {
  const { clock, dialled, givenUp, open, refuse, finish, done } = makeScene(MANY);
  while (open.size < DIALS_AT_ONCE_MAX) await clock.advance(NEXT_NODE_MS / 2);
  assert.deepEqual(givenUp, []);
  while (dialled.length < MANY.length) {
    refuse();
    await clock.yield();
  }
  await clock.advance(10_000);
  assert.deepEqual(givenUp, []);
  finish();
  await done;
  assert.equal(clock.timers, 0);
});

// More than one a turn must go: what is known of a mesh of 10,000 is worth a dial each.
Deno.test("dial waves: of very many all are dialled, never more at once than the limit", async () => {
  const all = Array.from({ length: 10_000 }, (_, index) => index);
  const { clock, dialled, most, finish, done } = makeScene(all);
  for (let turns = 0; dialled.length < all.length && turns < 100; turns++) {
    await clock.advance(NEXT_NODE_MS);
  }
  assert.deepEqual(dialled, all);
  assert.equal(most(), DIALS_AT_ONCE_MAX);
  finish();
  await done;
  assert.equal(clock.timers, 0);
});

Deno.test("dial waves: whoever refuses at once costs no time, and when all have, it is over", async () => {
  const { clock, dialled, refuse, done } = makeScene(MANY.slice(0, 5));
  for (let count = 1; count <= 5; count++) {
    assert.equal(dialled.length, count);
    refuse();
    await quiet();
  }
  await done;
  assert.equal(clock.timers, 0);
});
