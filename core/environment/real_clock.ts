/**
 * The host's clock. A pending timer keeps the process alive, as setTimeout's does: whoever arms one
 * cancels it. After SIGSTOP or suspend both `now` and `monotonic` have jumped by the pause.
 */
import type { Clock, Timer } from "./environment.ts";
import { sleepBy } from "./sleep.ts";
import { TimerQueue } from "./timer_queue.ts";

/** setTimeout fires at once above this (a 32-bit field). */
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
  readonly #timers = new TimerQueue({
    monotonic: () => this.monotonic(),
    wakeAfter: (ms, run) => this.#wakeAfter(ms, run),
    wakeSoon: (run) => void setImmediate(run),
  });

  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  after(ms: number, run: () => void): Timer {
    return this.#timers.after(ms, run);
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

  /** Or earlier, where the runtime cannot wait so long. */
  #wakeAfter(ms: number, run: () => void): Timer {
    // Fractions would be cut off: it would ring too early.
    const whole = Math.min(Math.ceil(ms), TIMEOUT_MS_MAX);
    if (this.#lightTimers > 0) {
      this.#lightTimers--;
      return lightTimer(whole, run);
    }
    const handle = setTimeout(run, whole);
    return { cancel: () => clearTimeout(handle) };
  }
}

/** It keeps the process alive as long as somebody listens, as the contract wants. */
function lightTimer(ms: number, run: () => void): Timer {
  const signal = AbortSignal.timeout(ms);
  signal.addEventListener("abort", run, { once: true });
  return { cancel: () => signal.removeEventListener("abort", run) };
}
