import assert from "node:assert/strict";
import { CallError } from "../../../core/mod.ts";
import { LATE_MS } from "../../../modules/shared/limits.ts";
import { watchSilence } from "../../../modules/shared/silence.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { quiet } from "../../support/wait.ts";

const SILENT_MS = 1_000;

/** How often a neighbour is given up whose ping fails in such a way, so many ms after it was sent. */
async function givenUp(
  error: CallError,
  { afterMs = SILENT_MS, spoke = false }: { afterMs?: number; spoke?: boolean } = {},
): Promise<{ times: number; asked: number }> {
  const clock = new ManualClock();
  const counts = { times: 0, asked: 0 };
  let heardAt = 0;
  const caller = {
    request: async () => {
      counts.asked++;
      await clock.sleep(afterMs);
      if (spoke) heardAt = clock.monotonic();
      throw error;
    },
  };
  const onSilent = () => {
    counts.times++;
    return true;
  };
  using _ = watchSilence({
    clock,
    caller,
    heardAt: () => heardAt,
    silentMs: SILENT_MS,
    onSilent,
  });
  await clock.advance(SILENT_MS + afterMs);
  await quiet();
  // If it goes on it asks again.
  await clock.advance(2 * SILENT_MS);
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
  const { times, asked } = await givenUp(TIMEOUT, { afterMs: SILENT_MS + LATE_MS + 1 });
  assert.deepEqual([times, asked > 1], [0, true]);
});

Deno.test("silence: who has spoken while it was asked is not given up", async () => {
  const { times, asked } = await givenUp(TIMEOUT, { spoke: true });
  assert.deepEqual([times, asked > 1], [0, true]);
});
