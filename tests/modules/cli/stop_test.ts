import assert from "node:assert/strict";
import type { Environment } from "../../../core/mod.ts";
import { CallError } from "../../../core/mod.ts";
import { Stop } from "../../../modules/cli/stop.ts";

/** Signals and time in the hands of the test. */
function makeWorld() {
  const listeners = new Map<string, () => void>();
  const timers = new Set<() => void>();
  const exits: number[] = [];
  const notes: string[] = [];
  const env = {
    processes: {
      onSignal(name: string, run: () => void): Disposable {
        listeners.set(name, run);
        return { [Symbol.dispose]: () => listeners.delete(name) };
      },
    },
    clock: {
      after(_ms: number, run: () => void) {
        timers.add(run);
        return { cancel: () => timers.delete(run) };
      },
    },
  } as unknown as Pick<Environment, "clock" | "processes">;
  const stop = new Stop(env, {
    exit: (code) => exits.push(code),
    announce: (text) => notes.push(text),
  });
  return { stop, listeners, timers, exits, notes };
}

Deno.test("stop: the first ^C asks the command to stop, the second ends the program", () => {
  const { stop, listeners, exits } = makeWorld();
  assert.equal(stop.signal.aborted, false);
  listeners.get("SIGINT")?.();
  assert.deepEqual([stop.signal.aborted, stop.exitCode, exits], [true, 130, []]);
  listeners.get("SIGINT")?.();
  assert.deepEqual(exits, [130]);
});

Deno.test("stop: a command that takes long to stop is announced", () => {
  const { stop, listeners, timers, notes } = makeWorld();
  listeners.get("SIGTERM")?.();
  for (const run of timers) run();
  assert.deepEqual(notes, ["Terminated, stopping; once more to stop at once"]);
  stop[Symbol.dispose]();
  assert.deepEqual([timers.size, listeners.size], [0, 0]);
});

Deno.test("stop: explains the errors that come from it, and only those", () => {
  const { stop } = makeWorld();
  const cancelled = new CallError("cancelled", "x");
  assert.equal(stop.explains(cancelled), false);
  stop.ask(141, "Nobody reads");
  stop.ask(130, "too late");
  assert.equal(stop.exitCode, 141);
  assert.equal(stop.explains(stop.signal.reason), true);
  assert.equal(stop.explains(cancelled), true);
  assert.equal(stop.explains(new DOMException("x", "AbortError")), true);
  assert.equal(stop.explains(new CallError("failed", "x")), false);
});

Deno.test("stop: who takes SIGHUP is not stopped by it, until they give it back", () => {
  const { stop, listeners } = makeWorld();
  let taken = 0;
  const hangUp = stop.takeHangUp(() => taken++);
  listeners.get("SIGHUP")?.();
  listeners.get("SIGHUP")?.();
  assert.deepEqual([taken, stop.signal.aborted, stop.exitCode], [2, false, undefined]);
  hangUp[Symbol.dispose]();
  listeners.get("SIGHUP")?.();
  assert.deepEqual([taken, stop.signal.aborted, stop.exitCode], [2, true, 129]);
});

Deno.test("stop: who takes some signals is stopped by the others", () => {
  const { stop, listeners, exits } = makeWorld();
  const taken: string[] = [];
  using _ = stop.takeSignals((signal) => taken.push(signal), { only: ["SIGINT"] });
  listeners.get("SIGINT")?.();
  assert.equal(stop.signal.aborted, false);
  listeners.get("SIGHUP")?.();
  assert.deepEqual([taken, stop.signal.aborted, stop.exitCode], [["SIGINT"], true, 129]);
  listeners.get("SIGTERM")?.();
  assert.deepEqual(exits, [143]);
});

Deno.test("stop: who takes signals gets two of them, and the third ends the program", () => {
  const { stop, listeners, exits } = makeWorld();
  const taken: string[] = [];
  const signals = stop.takeSignals((signal, count) => taken.push(`${signal} ${count}`));
  listeners.get("SIGINT")?.();
  listeners.get("SIGTERM")?.();
  assert.deepEqual([taken, stop.signal.aborted, exits], [["SIGINT 1", "SIGTERM 2"], false, []]);
  listeners.get("SIGINT")?.();
  assert.deepEqual([taken.length, exits], [2, [130]]);
  signals[Symbol.dispose]();
  listeners.get("SIGINT")?.();
  assert.equal(stop.signal.aborted, true);
});
