/** Gives up a copy when the daemon at the other end says nothing any more. */

import { type Caller, CallError, type Clock } from "../../core/mod.ts";
import { formatDuration } from "../shared/duration.ts";
import { watchSilence } from "../shared/silence.ts";
import { STALLED_MS_DEFAULT } from "./limits.ts";

export interface SilenceOptions {
  readonly clock: Pick<Clock, "monotonic" | "after">;
  readonly caller: Pick<Caller, "request">;
  /** Its name. */
  readonly node: string;
  /** How long it may say nothing. @default STALLED_MS_DEFAULT */
  readonly silentMs?: number | undefined;
  /** Of who copies: aborts what it ends as well. */
  readonly signal: AbortSignal;
}

export class Silence implements Disposable {
  /** Aborts when the daemon has been silent for so long, or nobody wants the copy any more. */
  readonly signal: AbortSignal;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #watch: Disposable;
  #heardAt: number;

  constructor({ clock, caller, node, silentMs = STALLED_MS_DEFAULT, signal }: SilenceOptions) {
    const givenUp = new AbortController();
    this.signal = AbortSignal.any([signal, givenUp.signal]);
    this.#clock = clock;
    this.#heardAt = clock.monotonic();
    this.#watch = watchSilence({
      clock,
      caller,
      heardAt: () => this.#heardAt,
      // Half of it until it is asked, half of it for the answer.
      silentMs: silentMs / 2,
      onSilent() {
        const time = formatDuration(silentMs);
        const text = `Given up: the daemon of "${node}" has said nothing for ${time}`;
        givenUp.abort(new CallError("timeout", text));
        return true;
      },
    });
  }

  /** Something came from it. */
  readonly heard = (): void => {
    this.#heardAt = this.#clock.monotonic();
  };

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }
}
