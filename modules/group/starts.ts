/**
 * Which targets have begun. A target says so only when it is still at it after half of the time that it
 * had to begin: most have answered by then, and that says more. Of whom nothing at all is heard until
 * that time is over, and a little longer for the word of it to come up, it is taken that it has not begun.
 */

import type { Clock } from "../../core/mod.ts";

export interface StartsOptions {
  readonly clock: Pick<Clock, "now" | "after">;
  /** Unix ms by our clock: no target begins later. */
  readonly startBy: number;
  /** What the word of it may take. */
  readonly graceMs: number;
  /** There is something to tell the one above. @default there is none above */
  readonly onNews?: (() => void) | undefined;
}

/** Somebody of whom something is to be heard, until it is disposed. */
export interface Awaited extends Disposable {
  heard(): void;
}

export class Starts {
  readonly #options: StartsOptions;
  #news: number[] = [];

  constructor(options: StartsOptions) {
    this.#options = options;
  }

  /** Of these targets others say that they have begun. */
  heard(indices: readonly number[]): void {
    const { onNews } = this.#options;
    if (indices.length === 0 || onNews === undefined) return;
    this.#news.push(...indices);
    onNews();
  }

  /** We have begun ourselves, and are at it until it is disposed. */
  begin(index: number): Disposable {
    if (this.#options.onNews === undefined) return { [Symbol.dispose]: () => {} };
    const timer = this.#options.clock.after(this.#leftMs / 2, () => this.heard([index]));
    return { [Symbol.dispose]: () => timer.cancel() };
  }

  /** `onSilent` is called once, unless something is heard in time. */
  await(onSilent: () => void): Awaited {
    const { clock, graceMs } = this.#options;
    const timer = clock.after(this.#leftMs + graceMs, onSilent);
    const heard = () => timer.cancel();
    return { heard, [Symbol.dispose]: heard };
  }

  /** What is to be told since the last time. */
  take(): readonly number[] {
    const news = this.#news;
    this.#news = [];
    return news;
  }

  get #leftMs(): number {
    const { clock, startBy } = this.#options;
    return Math.max(0, startBy - clock.now());
  }
}
