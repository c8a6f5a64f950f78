/** SIGHUP while a daemon waits for its certificate, and before it can do anything about it. */

import assert from "node:assert/strict";
import { type Clock, MinimeError } from "../../../core/mod.ts";
import { HangUps } from "../../../modules/cli/hang_ups.ts";
import { WaitingDaemon } from "../../../modules/cli/waiting_daemon.ts";
import { ManualClock } from "../../support/manual_clock.ts";

Deno.test("hang ups: one that comes too early is kept for who can act on it, once", () => {
  const hangUps = new HangUps();
  const heard: string[] = [];
  hangUps.came();
  hangUps.came();
  {
    using _first = hangUps.take(() => heard.push("first"));
    assert.deepEqual(heard, ["first"]);
    hangUps.came();
  }
  assert.deepEqual(heard, ["first", "first"]);
  hangUps.came();
  hangUps.take(() => heard.push("second"));
  assert.deepEqual(heard, ["first", "first", "second"]);
});

Deno.test("waiting daemon: SIGHUP reads the file and ends the pause, whether the file is good or not", async () => {
  const clock = new ManualClock();
  const hangUps = new HangUps();
  const stopping = new AbortController();
  const logged: string[] = [];
  const file: { problem?: MinimeError } = {};
  let reads = 0;
  await using waiting = new WaitingDaemon({
    clock: clock as Clock,
    hangUps,
    log: (level, text) => void logged.push(`${level}: ${text}`),
    read: () => {
      reads++;
      return file.problem === undefined ? Promise.resolve() : Promise.reject(file.problem);
    },
    signal: stopping.signal,
  });
  const first = waiting.pause(60_000);
  hangUps.came();
  await first;
  file.problem = new MinimeError("It is cut");
  // While it asks: the next pause is none.
  hangUps.came();
  await clock.advance(0);
  await waiting.pause(60_000);
  const third = waiting.pause(60_000);
  stopping.abort();
  await third;
  assert.equal(reads, 2);
  assert.deepEqual(logged, [
    "info: Mesh file read again",
    "error: The mesh file stays as it was: It is cut",
  ]);
  assert.equal(clock.timers, 0);
});
