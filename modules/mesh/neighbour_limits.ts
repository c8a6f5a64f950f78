/** How much each neighbour may say; kept when its link goes: to dial again must not renew it. */

import { type Clock, RateLimit } from "../../core/mod.ts";
import { ADVERTS_PER_SECOND_MAX, QUESTIONS_PER_SECOND_MAX } from "./limits.ts";

interface Limits {
  readonly adverts: RateLimit;
  readonly questions: RateLimit;
}

export class NeighbourLimits {
  readonly #clock: Clock;
  readonly #limits = new Map<string, Limits>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Of the neighbour with that key id. */
  of(keyId: string): Limits {
    let limits = this.#limits.get(keyId);
    if (limits === undefined) {
      limits = {
        adverts: new RateLimit(ADVERTS_PER_SECOND_MAX, this.#clock),
        questions: new RateLimit(QUESTIONS_PER_SECOND_MAX, this.#clock),
      };
      this.#limits.set(keyId, limits);
    }
    return limits;
  }
}
