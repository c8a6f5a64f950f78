/**
 * What one user may have under way in one daemon, over however many conduits: requests at once,
 * requests a second, and conduits.
 */

import type { Clock } from "../environment/environment.ts";
import { CallError } from "../errors.ts";
import { USER_CONDUITS_MAX, USER_REQUESTS_PER_SECOND_MAX, USER_STREAMS_MAX } from "../limits.ts";
import { RateLimit } from "./rate_limit.ts";

/** Shared by all conduits of one key. */
export class UserLimits {
  readonly #rate: RateLimit;
  #running = 0;
  #conduits = 0;

  constructor(clock: Clock) {
    this.#rate = new RateLimit(USER_REQUESTS_PER_SECOND_MAX, clock);
  }

  /** Counts one more request, or says why there may not be one. */
  enter(): CallError | undefined {
    if (this.#running >= USER_STREAMS_MAX) {
      return new CallError("busy", `More than ${USER_STREAMS_MAX} requests at once`);
    }
    if (!this.#rate.take()) {
      return new CallError("busy", "More requests per second than allowed");
    }
    this.#running++;
    return undefined;
  }

  leave(): void {
    this.#running--;
  }

  get full(): boolean {
    return this.#conduits >= USER_CONDUITS_MAX;
  }

  addConduit(): void {
    this.#conduits++;
  }

  dropConduit(): void {
    this.#conduits--;
  }

  /** Nothing is under way, and nothing is to be remembered. */
  get unused(): boolean {
    return this.#conduits === 0 && this.#running === 0 && this.#rate.full;
  }
}
