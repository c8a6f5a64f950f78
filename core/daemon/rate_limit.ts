/** A token bucket: so many a second, with a burst of one second's worth. */

import type { Clock } from "../environment/environment.ts";

const MS_PER_SECOND = 1_000;

export class RateLimit {
  readonly #perSecond: number;
  readonly #clock: Clock;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#tokens = perSecond;
    this.#at = clock.monotonic();
  }

  /** False when this one is too many. */
  take(): boolean {
    this.#earn();
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** As if nothing had ever been taken. */
  get full(): boolean {
    this.#earn();
    return this.#tokens === this.#perSecond;
  }

  #earn(): void {
    const now = this.#clock.monotonic();
    const earned = (now - this.#at) * this.#perSecond / MS_PER_SECOND;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + earned);
    this.#at = now;
  }
}
