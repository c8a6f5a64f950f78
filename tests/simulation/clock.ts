/** The clock of one simulated process: virtual time, and a wall clock that may be off or jump. */
import type { Clock, Timer } from "../../core/environment/environment.ts";
import { sleepBy } from "../../core/environment/sleep.ts";
import type { SimulatedProcess } from "./machine.ts";
import type { Scheduler } from "./scheduler.ts";

/** The wall clock's start: 1 January 2030, 00:00 UTC. */
export const EPOCH_MS = 1_893_456_000_000;

export class SimulatedClock implements Clock {
  readonly #process: SimulatedProcess;
  readonly #scheduler: Scheduler;

  constructor(process: SimulatedProcess, scheduler: Scheduler) {
    this.#process = process;
    this.#scheduler = scheduler;
  }

  now(): number {
    return Math.floor(EPOCH_MS + this.#scheduler.now + this.#process.machine.skewMs);
  }

  monotonic(): number {
    return this.#scheduler.now;
  }

  after(ms: number, run: () => void): Timer {
    return this.#process.after(ms, run);
  }

  sleep(ms: number, options: { signal?: AbortSignal } = {}): Promise<void> {
    return sleepBy(this, ms, options);
  }

  /** An event at the same time, after those that are queued for it. */
  yield(): Promise<void> {
    return new Promise((resolve) => this.#process.after(0, resolve));
  }
}
