/**
 * Patience with names that nobody has: a daemon that has just started hears of the other nodes only in
 * the next moments, and must not tell a user until then that they do not exist.
 */

import { CallError, type Clock } from "../../core/mod.ts";
import { FIRST_VIEW_MS_MAX } from "./limits.ts";

export class FirstView {
  readonly #clock: Pick<Clock, "monotonic" | "after">;
  readonly #until: number;
  #waiting: (() => void)[] = [];

  constructor(clock: Pick<Clock, "monotonic" | "after">) {
    this.#clock = clock;
    this.#until = clock.monotonic() + FIRST_VIEW_MS_MAX;
  }

  /** The mesh is another one than before. */
  changed(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /**
   * What `select` gives, which is asked again after each change as long as the daemon is young, and for
   * `patienceMs` in any case. Rejects with its last CallError "invalid", or at once with any other error.
   */
  async choose<T>(
    select: () => T,
    options: { readonly signal: AbortSignal; readonly patienceMs?: number },
  ): Promise<T> {
    const until = Math.max(this.#until, this.#clock.monotonic() + (options.patienceMs ?? 0));
    for (;;) {
      try {
        return select();
      } catch (error) {
        const isUnknown = error instanceof CallError && error.class === "invalid";
        const leftMs = until - this.#clock.monotonic();
        if (!isUnknown || leftMs <= 0) throw error;
        await this.#change(leftMs, options.signal);
      }
    }
  }

  /** Resolves with the next one, or when the time is over. */
  async #change(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    const stop = () => resolve();
    signal.addEventListener("abort", stop);
    const timer = this.#clock.after(ms, stop);
    try {
      await promise;
    } finally {
      timer.cancel();
      signal.removeEventListener("abort", stop);
    }
    signal.throwIfAborted();
  }
}
