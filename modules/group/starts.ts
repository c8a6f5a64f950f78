/**
 * The word that targets have begun: whoever is still at its part after half of the time to begin sends
 * an empty part of the account up, once, unless something else has gone up that says more. Of whom
 * nothing at all is heard until that time is over, and a little longer for the word to come up, nobody
 * knows whether it has begun: it is given up, and may have run. Older nodes give no word, so none is
 * awaited of them; whoever carries something on to one gives the word in its place.
 */

import { type Clock, REVISION } from "../../core/mod.ts";
import { START_SKEW_MS } from "./limits.ts";

export interface StartsOptions {
  readonly clock: Pick<Clock, "now" | "after">;
  /** Unix ms by our clock: no target begins later. */
  readonly startBy: number;
  /** What the word may take on its way up. */
  readonly graceMs: number;
  /** There is a word for the one above. @default there is none above */
  readonly onWord?: (() => void) | undefined;
}

/** A neighbour of which something is to be heard, until it is disposed. */
export interface ExpectedWord extends Disposable {
  heard(): void;
}

export class Starts {
  readonly #options: StartsOptions;
  #isGiven = false;

  constructor(options: StartsOptions) {
    this.#options = options;
  }

  /** Some of the targets have begun. Idempotent. */
  give(): void {
    if (this.#isGiven) return;
    this.#isGiven = true;
    this.#options.onWord?.();
  }

  /** We have begun ourselves, and are at it until it is disposed. */
  begin(): ExpectedWord {
    if (this.#isGiven || this.#options.onWord === undefined) return timed(undefined);
    return timed(this.#options.clock.after(this.#leftMs / 2, () => this.give()));
  }

  /** Something has gone up, which says as much. */
  told(): void {
    this.#isGiven = true;
  }

  /** `onSilent` is called once, unless that neighbour is heard in time. */
  await({ revision }: { readonly revision: number }, onSilent: () => void): ExpectedWord {
    if (revision < REVISION.starts) return this.begin();
    const { clock, graceMs, startBy } = this.#options;
    // Whoever is asked so late is asked for what it has begun: nobody begins any more.
    if (clock.now() > startBy + START_SKEW_MS) return timed(undefined);
    return timed(clock.after(this.#leftMs + graceMs, onSilent));
  }

  get #leftMs(): number {
    const { clock, startBy } = this.#options;
    return Math.max(0, startBy - clock.now());
  }
}

function timed(timer: { cancel(): void } | undefined): ExpectedWord {
  const heard = () => timer?.cancel();
  return { heard, [Symbol.dispose]: heard };
}
