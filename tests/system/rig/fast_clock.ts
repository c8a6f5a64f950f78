/**
 * A clock that can run faster than the world's, so that what takes ten minutes takes seconds: only
 * `monotonic` and timers, by which programs wait. The time of day stays, or certificates and requests
 * of this program would not be believed by others. The factor may change while timers wait.
 */

import type { Clock, Timer } from "../../../core/environment/environment.ts";
import { sleepBy } from "../../../core/environment/sleep.ts";

/** On a host: how many times faster, as text. No such file: as fast as the world. */
export const FACTOR_FILE = "/run/minime-test-clock";
/** On a host: for how many milliseconds its daemon has lived by its own clock, as text. */
export const LIVED_FILE = "/run/minime-test-lived";

interface Waiting {
  /** By this clock. */
  readonly due: number;
  readonly run: () => void;
  timer: Timer | undefined;
}

export class FastClock implements Clock {
  readonly #base: Clock;
  readonly #waiting = new Set<Waiting>();
  #factor = 1;
  /** The same moment by the clock below and by this one: the last change of the factor. */
  #from: number;
  #at: number;

  constructor(base: Clock) {
    this.#base = base;
    this.#from = this.#at = base.monotonic();
  }

  /** From now on. At least 1: a slower clock would ring late. */
  set factor(factor: number) {
    const now = this.monotonic();
    this.#from = this.#base.monotonic();
    this.#at = now;
    this.#factor = factor;
    for (const waiting of this.#waiting) {
      waiting.timer?.cancel();
      this.#arm(waiting);
    }
  }

  now(): number {
    return this.#base.now();
  }

  monotonic(): number {
    return this.#at + (this.#base.monotonic() - this.#from) * this.#factor;
  }

  after(ms: number, run: () => void): Timer {
    const waiting: Waiting = { due: this.monotonic() + ms, run, timer: undefined };
    this.#waiting.add(waiting);
    this.#arm(waiting);
    return {
      cancel: () => {
        this.#waiting.delete(waiting);
        waiting.timer?.cancel();
      },
    };
  }

  sleep(ms: number, options: { signal?: AbortSignal } = {}): Promise<void> {
    return sleepBy(this, ms, options);
  }

  yield(): Promise<void> {
    return this.#base.yield();
  }

  #arm(waiting: Waiting): void {
    const ms = (waiting.due - this.monotonic()) / this.#factor;
    waiting.timer = this.#base.after(ms, () => {
      this.#waiting.delete(waiting);
      waiting.run();
    });
  }
}
