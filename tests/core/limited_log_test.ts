import assert from "node:assert/strict";
import { limitedLog } from "../../core/limited_log.ts";
import { LIMITED_LINES_PER_SECOND_MAX } from "../../core/limits.ts";
import { ManualClock } from "../support/manual_clock.ts";

Deno.test("limited log: a stranger cannot wash out a log, and what was left out is counted", async () => {
  const clock = new ManualClock();
  const lines: string[] = [];
  const log = limitedLog((level, text) => lines.push(`${level}: ${text}`), clock);
  for (let i = 0; i < 1_000; i++) log("warning", "refused");
  assert.equal(lines.length, LIMITED_LINES_PER_SECOND_MAX);
  log("debug", "details");
  assert.equal(lines.at(-1), "debug: details");
  await clock.advance(1_000);
  log("warning", "refused again");
  assert.deepEqual(lines.slice(-2), [
    `warning: ${1_000 - LIMITED_LINES_PER_SECOND_MAX} lines of this kind were left out`,
    "warning: refused again",
  ]);
});
