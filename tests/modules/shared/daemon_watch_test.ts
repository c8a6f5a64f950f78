/** When a daemon that says nothing is given up, and when it is only quiet. */

import assert from "node:assert/strict";
import { CallError } from "../../../core/mod.ts";
import { DaemonWatch } from "../../../modules/shared/daemon_watch.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const SILENT_MS = 4_000;

/** A daemon that answers pings, or is frozen. */
function makeWatch() {
  const clock = new ManualClock();
  const daemon = { frozen: false, pings: 0 };
  const user = new AbortController();
  const told: string[] = [];
  const watch = new DaemonWatch({
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
    onQuiet: (text) => told.push(text),
  });
  return { clock, daemon, user, watch, told };
}

Deno.test("daemon watch: a daemon that does not even answer whether it lives is given up", async () => {
  const { clock, daemon, watch, told } = makeWatch();
  using _ = watch;
  await clock.advance(10 * SILENT_MS);
  assert.equal(watch.signal.aborted, false);
  daemon.frozen = true;
  await clock.advance(SILENT_MS - 1);
  assert.equal(watch.signal.aborted, false);
  const quiet = 'The daemon of "n2" says nothing for 2 s; after 4 s it is given up';
  assert.deepEqual(told, [quiet]);
  await clock.advance(SILENT_MS);
  assert.deepEqual(told, [quiet]);
  const { class: kind, message } = watch.signal.reason as CallError;
  const text = 'Given up: the daemon of "n2" has said nothing for 4 s';
  assert.deepEqual([kind, message], ["timeout", text]);
});

Deno.test("daemon watch: whoever is heard is neither asked nor given up", async () => {
  const { clock, daemon, watch } = makeWatch();
  using _ = watch;
  daemon.frozen = true;
  for (let look = 0; look < 40; look++) {
    watch.heard();
    await clock.advance(SILENT_MS / 8);
  }
  assert.deepEqual([daemon.pings, watch.signal.aborted], [0, false]);
});

Deno.test("daemon watch: time in which we ourselves stood still counts for nobody", async () => {
  const { clock, daemon, watch } = makeWatch();
  using _ = watch;
  daemon.frozen = true;
  clock.jump(100 * SILENT_MS);
  await clock.advance(SILENT_MS / 4);
  assert.equal(watch.signal.aborted, false);
});

Deno.test("daemon watch: who wants it no more ends it, and no timer is left", async () => {
  const { clock, user, watch } = makeWatch();
  user.abort(new CallError("cancelled", "Interrupted"));
  assert.equal((watch.signal.reason as CallError).message, "Interrupted");
  watch[Symbol.dispose]();
  await clock.advance(10 * SILENT_MS);
  assert.equal(clock.timers, 0);
});
