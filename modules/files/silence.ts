/**
 * Notices at the one who copies that the daemon at the other end says nothing any more: a frozen process,
 * or a cable that was cut, keeps its connection without end. Whoever only has nothing to say is asked
 * whether it lives.
 */

import { type Caller, CallError, type Clock, PRIORITY, type Timer } from "../../core/mod.ts";
import { formatDuration } from "../shared/duration.ts";
import { STALLED_LOOKS, STALLED_MS_DEFAULT } from "./limits.ts";

/** Any answer will do. */
const PING_VERB = "core.ping";

export interface SilenceOptions {
  readonly clock: Pick<Clock, "after">;
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
  readonly #options: SilenceOptions;
  readonly #silentMs: number;
  readonly #givenUp = new AbortController();
  #timer: Timer | undefined;
  #asking = false;
  #heard = false;
  /** Measured in looks: time in which we ourselves stood still does not count. */
  #quietMs = 0;

  constructor(options: SilenceOptions) {
    this.#options = options;
    this.#silentMs = options.silentMs ?? STALLED_MS_DEFAULT;
    this.signal = AbortSignal.any([options.signal, this.#givenUp.signal]);
    this.#lookLater();
  }

  /** Something came from it. */
  readonly heard = (): void => {
    this.#heard = true;
  };

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #lookLater(): void {
    const ms = this.#silentMs / STALLED_LOOKS;
    this.#timer = this.#options.clock.after(ms, () => this.#look(ms));
  }

  #look(ms: number): void {
    this.#quietMs = this.#heard ? 0 : this.#quietMs + ms;
    this.#heard = false;
    if (this.#quietMs >= this.#silentMs) {
      const time = formatDuration(this.#silentMs);
      const text = `Given up: the daemon of "${this.#options.node}" has said nothing for ${time}`;
      return this.#givenUp.abort(new CallError("timeout", text));
    }
    if (this.#quietMs > 0 && !this.#asking) void this.#ask();
    this.#lookLater();
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    try {
      const options = { deadlineMs: this.#silentMs, priority: PRIORITY.control };
      await this.#options.caller.request(PING_VERB, {}, options);
      this.#heard = true;
    } catch (error) {
      // Any answer but silence; the end of the connection ends the copy by itself.
      const isSilent = error instanceof CallError && error.class === "timeout";
      if (!isSilent) this.#heard = true;
    } finally {
      this.#asking = false;
    }
  }
}
