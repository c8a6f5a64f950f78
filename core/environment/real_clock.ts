/**
 * The host's clock. A pending timer keeps the process alive, as setTimeout's does: whoever arms one
 * cancels it. After SIGSTOP or suspend both `now` and `monotonic` have jumped by the pause.
 */
import type { Clock, Timer } from "./environment.ts";
import { sleepBy } from "./sleep.ts";

/** setTimeout fires at once above this (a 32-bit field); longer waits are cut into steps. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/**
 * The first setTimeout of a process loads 7 ms of Node's timers on Deno 2.9, which a command that asks
 * one question would feel. AbortSignal.timeout costs 1 ms, but goes on unseen after it was cancelled:
 * so only the first few timers are made of it.
 */
const LIGHT_TIMERS = 8;

/** A global of both runtimes that their type libraries do not all declare. */
declare const setImmediate: (run: () => void) => unknown;

export class RealClock implements Clock {
  #turn: Promise<void> | undefined;
  #lightTimers = LIGHT_TIMERS;

  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  after(ms: number, run: () => void): Timer {
    if (this.#lightTimers > 0 && ms <= TIMEOUT_MS_MAX) {
      this.#lightTimers--;
      return lightTimer(ms, run);
    }
    let handle: ReturnType<typeof setTimeout>;
    const due = ms > TIMEOUT_MS_MAX ? performance.now() + ms : 0;
    const step = () => {
      const left = due - performance.now();
      if (left <= 0) run();
      else handle = setTimeout(step, wholeMs(Math.min(left, TIMEOUT_MS_MAX)));
    };
    if (ms > TIMEOUT_MS_MAX) handle = setTimeout(step, TIMEOUT_MS_MAX);
    else handle = setTimeout(run, wholeMs(ms));
    return { cancel: () => clearTimeout(handle) };
  }

  sleep(ms: number, options: { signal?: AbortSignal } = {}): Promise<void> {
    return sleepBy(this, ms, options);
  }

  /**
   * One turn of setImmediate, shared by all who ask within it: 3-4 us (MessageChannel 6-20 us,
   * setTimeout(0) 1,300 us and more). Whatever the runtime has already taken from the kernel runs
   * first. In a loop of nothing but yields the runtime asks the kernel again every 61st turn.
   */
  yield(): Promise<void> {
    return this.#turn ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#turn = undefined;
        resolve();
      });
    });
  }
}

/** setTimeout cuts fractions off, so that it would ring too early, and warns about negative numbers. */
function wholeMs(ms: number): number {
  return Math.max(0, Math.ceil(ms));
}

/** It keeps the process alive as long as somebody listens, as the contract wants. */
function lightTimer(ms: number, run: () => void): Timer {
  const signal = AbortSignal.timeout(wholeMs(ms));
  signal.addEventListener("abort", run, { once: true });
  return { cancel: () => signal.removeEventListener("abort", run) };
}
