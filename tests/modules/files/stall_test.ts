/** When a copy that does not go on is given up, and when it is only slow. */

import assert from "node:assert/strict";
import { IDLE_MS_MAX } from "../../../modules/files/limits.ts";
import { Stall } from "../../../modules/files/stall.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const STALLED_MS = 4_000;

function makeStall() {
  const clock = new ManualClock();
  const texts: string[] = [];
  const process = { computed: 0 };
  const stall = new Stall({
    clock,
    stalledMs: STALLED_MS,
    computed: () => Promise.resolve(String(process.computed)),
    onStalled: (error) => texts.push(`${error.class}: ${error.message}`),
  });
  return { clock, texts, process, stall };
}

Deno.test("stall: a process that does nothing with what it got is given up", async () => {
  const { clock, texts, stall } = makeStall();
  stall.gave();
  await clock.advance(STALLED_MS);
  stall.gave();
  stall.taken(1);
  await clock.advance(STALLED_MS);
  assert.deepEqual(texts, []);
  await clock.advance(STALLED_MS);
  assert.deepEqual(texts, ["timeout: Given up: the disk here has taken and given nothing for 4 s"]);
  assert.equal(clock.timers, 0);
});

Deno.test("stall: a process that computes is busy, however long", async () => {
  const { clock, texts, process, stall } = makeStall();
  using _ = stall;
  stall.gave();
  for (let look = 0; look < 40; look++) {
    process.computed++;
    await clock.advance(STALLED_MS / 2);
  }
  assert.deepEqual(texts, []);
});

Deno.test("stall: whoever waits for others, or whose words nobody takes, has much longer", async () => {
  for (const isHeld of [false, true]) {
    const { clock, texts, stall } = makeStall();
    stall.gave();
    if (isHeld) stall.hold(true);
    else stall.taken(1);
    await clock.advance(IDLE_MS_MAX - STALLED_MS);
    assert.deepEqual(texts, []);
    await clock.advance(2 * STALLED_MS);
    assert.deepEqual(texts, ["timeout: Given up: nobody has sent or taken anything for 30 min"]);
  }
});

Deno.test("stall: what is over is not looked at", async () => {
  const { clock, texts, stall } = makeStall();
  stall.gave();
  stall[Symbol.dispose]();
  await clock.advance(10 * STALLED_MS);
  assert.deepEqual([texts, clock.timers], [[], 0]);
});
