/**
 * Patience of a node that has just started: while the first adverts pour in, the mesh has another
 * shape in each moment, and none of them is worth a dial. What is to be done about its shape is done
 * the first time at once (seeds are dialled), then when it was calm for a while, and later at once.
 */

import type { Clock, Timer } from "../../core/mod.ts";
import { CALM_MS, FIRST_VIEW_MS_MAX } from "./limits.ts";

export class Calm {
  readonly #clock: Pick<Clock, "monotonic" | "after">;
  readonly #patientUntil: number;
  #isFirst = true;
  #timer: Timer | undefined;

  constructor(clock: Pick<Clock, "monotonic" | "after">) {
    this.#clock = clock;
    this.#patientUntil = clock.monotonic() + FIRST_VIEW_MS_MAX;
  }

  /** Replaces what was to be done before. */
  run(act: () => void): void {
    this.stop();
    const leftMs = this.#patientUntil - this.#clock.monotonic();
    if (!this.#isFirst && leftMs > 0) {
      this.#timer = this.#clock.after(Math.min(CALM_MS, leftMs), act);
      return;
    }
    this.#isFirst = false;
    act();
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
