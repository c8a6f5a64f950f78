/** A clock that stands still until a test advances it; timers that come due then run in their order. */

import type { Clock, Timer } from "../../core/environment/environment.ts";
import { sleepBy } from "../../core/environment/sleep.ts";

declare const setImmediate: (run: () => void) => unknown;

/** 1 January 2030, 00:00 UTC. */
const EPOCH_MS = 1_893_456_000_000;

interface Pending {
  readonly at: number;
  readonly run: () => void;
}

export class ManualClock implements Clock {
  readonly #pending = new Set<Pending>();
  #passed = 0;
  #skew = 0;

  /** Timers that wait: a test that ends with some has found a leak. */
  get timers(): number {
    return this.#pending.size;
  }

  now(): number {
    return EPOCH_MS + this.#passed + this.#skew;
  }

  monotonic(): number {
    return this.#passed;
  }

  after(ms: number, run: () => void): Timer {
    const pending = { at: this.#passed + ms, run };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  sleep(ms: number, options: { signal?: AbortSignal } = {}): Promise<void> {
    return sleepBy(this, ms, options);
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(() => resolve()));
  }

  /** Lets time pass, timer by timer, and what each sets off settle. */
  async advance(ms: number): Promise<void> {
    const end = this.#passed + ms;
    for (;;) {
      await this.yield();
      const next = [...this.#pending].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#pending.delete(next);
      this.#passed = Math.max(this.#passed, next.at);
      next.run();
    }
    this.#passed = end;
    await this.yield();
  }

  /** Time passes while the process is stopped: all that came due runs only afterwards. */
  jump(ms: number): void {
    this.#passed += ms;
  }

  /** The wall clock alone is set. */
  skew(ms: number): void {
    this.#skew = ms;
  }
}
