/** When a daemon that says nothing is given up, and when it is only quiet. */

import assert from "node:assert/strict";
import { CallError } from "../../../core/mod.ts";
import { Silence } from "../../../modules/files/silence.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const SILENT_MS = 4_000;

/** A daemon that answers pings, or is frozen. */
function makeSilence() {
  const clock = new ManualClock();
  const daemon = { frozen: false, pings: 0 };
  const user = new AbortController();
  const silence = new Silence({
    clock,
    caller: {
      async request(_verb, _args, { deadlineMs = 0 } = {}) {
        daemon.pings++;
        if (!daemon.frozen) return {};
        await clock.sleep(deadlineMs);
        throw new CallError("timeout", "No answer");
      },
    },
    node: "n2",
    silentMs: SILENT_MS,
    signal: user.signal,
  });
  return { clock, daemon, user, silence };
}

Deno.test("silence: a daemon that does not even answer whether it lives is given up", async () => {
  const { clock, daemon, silence } = makeSilence();
  using _ = silence;
  await clock.advance(10 * SILENT_MS);
  assert.equal(silence.signal.aborted, false);
  daemon.frozen = true;
  await clock.advance(SILENT_MS - 1);
  assert.equal(silence.signal.aborted, false);
  await clock.advance(SILENT_MS);
  const { class: kind, message } = silence.signal.reason as CallError;
  const text = 'Given up: the daemon of "n2" has said nothing for 4 s';
  assert.deepEqual([kind, message], ["timeout", text]);
});

Deno.test("silence: whoever is heard is neither asked nor given up", async () => {
  const { clock, daemon, silence } = makeSilence();
  using _ = silence;
  daemon.frozen = true;
  for (let look = 0; look < 40; look++) {
    silence.heard();
    await clock.advance(SILENT_MS / 4);
  }
  assert.deepEqual([daemon.pings, silence.signal.aborted], [0, false]);
});

Deno.test("silence: time in which we ourselves stood still counts for nobody", async () => {
  const { clock, daemon, silence } = makeSilence();
  using _ = silence;
  daemon.frozen = true;
  clock.jump(100 * SILENT_MS);
  await clock.advance(SILENT_MS / 4);
  assert.equal(silence.signal.aborted, false);
});

Deno.test("silence: who wants it no more ends it, and no timer is left", async () => {
  const { clock, user, silence } = makeSilence();
  user.abort(new CallError("cancelled", "Interrupted"));
  assert.equal((silence.signal.reason as CallError).message, "Interrupted");
  silence[Symbol.dispose]();
  await clock.advance(10 * SILENT_MS);
  assert.equal(clock.timers, 0);
});
