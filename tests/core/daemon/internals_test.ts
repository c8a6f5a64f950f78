import assert from "node:assert/strict";
import type { Incoming } from "../../../core/daemon/incoming.ts";
import { Internals } from "../../../core/daemon/internals.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { quiet } from "../../support/wait.ts";

const DEADLINE_MS = 1_000;

Deno.test("internals: a request that is not done at its deadline ends at both ends, by one timer", async () => {
  const clock = new ManualClock();
  const aborted: unknown[] = [];
  const internals = new Internals({
    clock,
    serve: ({ signal }: Incoming) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => {
          aborted.push(signal.reason);
          reject(signal.reason);
        })
      ),
    onBug: (error) => assert.fail(String(error)),
  });
  await internals.open("slow");
  const caller = internals.callerOf("slow", "asker");
  const asking = assert.rejects(caller.request("slow.ask", {}, { deadlineMs: DEADLINE_MS }), {
    class: "timeout",
  });
  await quiet();
  assert.equal(clock.timers, 1);
  await clock.advance(DEADLINE_MS - 1);
  assert.deepEqual(aborted, []);
  await clock.advance(1);
  await asking;
  await quiet();
  assert.equal(aborted.length, 1);
  assert.equal(clock.timers, 0);
  await Promise.all(internals.list().map((calls) => calls.close("test is over")));
});
