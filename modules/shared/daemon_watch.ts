/** Gives up what may last for days when the daemon at the other end says nothing any more. */

import { type Caller, CallError, type Clock, FirstSignal } from "../../core/mod.ts";
import { formatDuration } from "./duration.ts";
import { watchSilence } from "./silence.ts";

export interface DaemonWatchOptions {
  readonly clock: Pick<Clock, "monotonic" | "after">;
  readonly caller: Pick<Caller, "request">;
  /** Its name. */
  readonly node: string;
  /** How long it may say nothing. */
  readonly silentMs: number;
  /** Of who waits for it: aborts what it ends as well. */
  readonly signal: AbortSignal;
  /** Told once, for a person, when half of that is over. @default nobody is told */
  readonly onQuiet?: (text: string) => void;
}

export class DaemonWatch implements Disposable {
  /** Aborts when the daemon has been silent for so long, or nobody waits for it any more. */
  readonly signal: AbortSignal;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #resources = new DisposableStack();
  #heardAt: number;

  constructor({ clock, caller, node, silentMs, signal, onQuiet }: DaemonWatchOptions) {
    const givenUp = new AbortController();
    this.signal = this.#resources.use(new FirstSignal(signal, givenUp.signal)).signal;
    this.#clock = clock;
    this.#heardAt = clock.monotonic();
    // Half of the time until it is asked, half of it for the answer.
    const watch = (ms: number, onSilent: () => void) =>
      this.#resources.use(watchSilence({
        clock,
        caller,
        heardAt: () => this.#heardAt,
        silentMs: ms / 2,
        onSilent() {
          onSilent();
          return true;
        },
      }));
    const [limit, half] = [silentMs, silentMs / 2].map(formatDuration);
    if (onQuiet !== undefined) {
      const text =
        `The daemon of "${node}" says nothing for ${half}; after ${limit} it is given up`;
      watch(silentMs / 2, () => onQuiet(text));
    }
    const text = `Given up: the daemon of "${node}" has said nothing for ${limit}`;
    watch(silentMs, () => givenUp.abort(new CallError("timeout", text)));
  }

  /** Something came from it. */
  readonly heard = (): void => {
    this.#heardAt = this.#clock.monotonic();
  };

  /** The same pieces, to be sent to it: who asks for the next one had credit for the one before. */
  async *heardBy<T>(pieces: AsyncIterable<T>): AsyncGenerator<T, void, void> {
    for await (const piece of pieces) {
      yield piece;
      this.heard();
    }
  }

  [Symbol.dispose](): void {
    this.#resources.dispose();
  }
}
