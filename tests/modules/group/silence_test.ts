import assert from "node:assert/strict";
import { CallError } from "../../../core/mod.ts";
import { LATE_MS, SUSPECT_MS } from "../../../modules/group/limits.ts";
import { watchSilence } from "../../../modules/group/silence.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { quiet } from "../../support/wait.ts";

/** How often a neighbour is given up whose ping fails in such a way, so many ms after it was sent. */
async function givenUp(
  error: CallError,
  { afterMs = SUSPECT_MS, spoke = false }: { afterMs?: number; spoke?: boolean } = {},
): Promise<{ times: number; asked: number }> {
  const clock = new ManualClock();
  const counts = { times: 0, asked: 0 };
  const link = {
    heardAt: 0,
    request: async () => {
      counts.asked++;
      await clock.sleep(afterMs);
      if (spoke) link.heardAt = clock.monotonic();
      throw error;
    },
  };
  const onSilent = () => {
    counts.times++;
    return true;
  };
  using _ = watchSilence(link as never, { clock, onSilent });
  await clock.advance(SUSPECT_MS + afterMs);
  await quiet();
  // If it goes on it asks again.
  await clock.advance(2 * SUSPECT_MS);
  return counts;
}

const TIMEOUT = new CallError("timeout", "No answer");

Deno.test("silence: who says nothing and answers no ping in time is given up", async () => {
  assert.deepEqual(await givenUp(TIMEOUT), { times: 1, asked: 1 });
});

Deno.test("silence: whose answer is an error has answered", async () => {
  const { times, asked } = await givenUp(new CallError("unknown-verb", "No such verb"));
  assert.deepEqual([times, asked > 1], [0, true]);
});

// On a machine with much to do, the limit of the ping ended before the answer was read.
Deno.test("silence: who stood still itself gives up nobody, but asks again", async () => {
  const { times, asked } = await givenUp(TIMEOUT, { afterMs: SUSPECT_MS + LATE_MS + 1 });
  assert.deepEqual([times, asked > 1], [0, true]);
});

Deno.test("silence: who has spoken while it was asked is not given up", async () => {
  const { times, asked } = await givenUp(TIMEOUT, { spoke: true });
  assert.deepEqual([times, asked > 1], [0, true]);
});
