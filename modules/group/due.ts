/** When the next partial is due: some time after the first news, and sooner when sooner is asked. */

import type { Clock, Timer } from "../../core/mod.ts";

export class Due {
  readonly #clock: Pick<Clock, "after" | "monotonic">;
  readonly #onDue: () => void;
  #timer: Timer | undefined;
  #at = Infinity;
  #isNow = false;

  constructor(clock: Pick<Clock, "after" | "monotonic">, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  get isNow(): boolean {
    return this.#isNow;
  }

  /** It is due after `ms`, if it is not earlier. */
  within(ms: number): void {
    const at = this.#clock.monotonic() + ms;
    if (this.#isNow || at >= this.#at) return;
    this.#timer?.cancel();
    this.#at = at;
    this.#timer = this.#clock.after(ms, () => {
      this.#isNow = true;
      this.#onDue();
    });
  }

  /** It was made. */
  clear(): void {
    this.#timer?.cancel();
    this.#at = Infinity;
    this.#isNow = false;
  }
}
