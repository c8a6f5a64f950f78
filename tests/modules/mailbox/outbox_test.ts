import assert from "node:assert/strict";
import { type Call, CallError, type ModuleHost } from "../../../core/mod.ts";
import { LETTER_BYTES_MAX, OUTBOX_BYTES_MAX, PUT_MS_MAX } from "../../../modules/mailbox/limits.ts";
import { Outbox } from "../../../modules/mailbox/outbox.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { outcome, quiet } from "../../support/wait.ts";

const HOUR_MS = 3_600_000;
const NEVER = new AbortController().signal;
const BUSY = {
  name: "CallError",
  class: "busy",
  message: 'Messages before this one wait for "t" of "n2"',
};

/** An outbox whose group operations go on until the test ends them. */
function make() {
  const clock = new ManualClock();
  const running: ((error: unknown) => void)[] = [];
  const stream = (): Call => {
    const { promise, reject } = Promise.withResolvers<never>();
    running.push(reject);
    const call = {
      reply: promise,
      cancel: () => {},
      async *[Symbol.asyncIterator]() {
        yield await promise;
      },
    };
    return call as unknown as Call;
  };
  const host = {
    env: { clock, random: { bytes: (length: number) => new Uint8Array(length) } },
    module: () => ({ stream }),
    signRequest: () => new Uint8Array(0),
  } as unknown as ModuleHost;
  const outbox = new Outbox(host);
  const send = (waitMs = 0, { signal = NEVER, bytes = 1, tag = "t" } = {}) =>
    outbox.send(new Uint8Array(bytes), { node: "n2", tag, waitMs, signal });
  return { clock, running, send };
}

Deno.test("outbox: who may not wait is answered though one before it waits for an hour", async () => {
  const { clock, running, send } = make();
  const first = assert.rejects(send(HOUR_MS), /way is lost/);
  const next = send();
  await clock.advance(PUT_MS_MAX - 1);
  assert.equal((await outcome(next)).state, "pending");
  const refused = assert.rejects(next, BUSY);
  await clock.advance(1);
  await refused;
  assert.equal(running.length, 1);
  running[0]?.(new Error("way is lost"));
  await first;
  assert.equal(clock.timers, 0);
});

Deno.test("outbox: one after the other goes, each when the one before it has ended", async () => {
  const { clock, running, send } = make();
  const ends = [1, 2, 3].map((i) => assert.rejects(send(), new RegExp(`end ${i}`)));
  for (let i = 1; i <= 3; i++) {
    await quiet();
    assert.equal(running.length, i);
    // All together take longer than any would wait alone.
    await clock.advance(PUT_MS_MAX - 1);
    running.at(-1)?.(new Error(`end ${i}`));
  }
  await Promise.all(ends);
  assert.equal(clock.timers, 0);
});

Deno.test("outbox: who is cancelled in the line is gone at once, with its bytes, and stops nobody", async () => {
  const { clock, running, send } = make();
  const first = assert.rejects(send(HOUR_MS), /way is lost/);
  const stop = new AbortController();
  const large = { signal: stop.signal, bytes: LETTER_BYTES_MAX };
  const fitting = Math.floor((OUTBOX_BYTES_MAX - 1) / LETTER_BYTES_MAX);
  const gone = Array.from(
    { length: fitting },
    () => assert.rejects(send(HOUR_MS, large), /cancelled by hand/),
  );
  const last = assert.rejects(send(HOUR_MS), /last/);
  await assert.rejects(send(0, { bytes: LETTER_BYTES_MAX, tag: "other" }), { class: "busy" });
  // The way becomes free in the very turn in which they go.
  stop.abort(new CallError("cancelled", "cancelled by hand"));
  running[0]?.(new Error("way is lost"));
  await Promise.all([first, ...gone]);
  await quiet();
  assert.equal(running.length, 2);
  const other = assert.rejects(send(0, { bytes: LETTER_BYTES_MAX, tag: "other" }), /other/);
  await quiet();
  running[1]?.(new Error("last"));
  running[2]?.(new Error("other"));
  await Promise.all([last, other]);
  assert.equal(clock.timers, 0);
});
