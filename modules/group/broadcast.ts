/**
 * Input for all targets: one stream that goes to several receivers, the slowest of which sets the pace.
 * What has passed is kept up to a bound, so that a part of the operation that is sent again by another
 * way gets all of it from the beginning.
 */

import type { Call } from "../../core/mod.ts";
import { INPUT_KEPT_BYTES_MAX } from "./limits.ts";
import { weightOf } from "./weight.ts";

/** Who receives it. Both may reject: then it is left out from then on. */
export interface Sink {
  write(item: unknown): Promise<void>;
  end(): Promise<void>;
}

interface Receiver {
  /** What was sent to it so far. Never rejects. */
  last: Promise<void>;
  readonly gone: Promise<void>;
  readonly leave: () => void;
}

export class Broadcast {
  readonly #receivers = new Map<Sink, Receiver>();
  #kept: unknown[] | undefined = [];
  #keptBytes = 0;
  #ended = false;

  /** False: so much has passed that a new receiver would not get all of it. */
  get isWhole(): boolean {
    return this.#kept !== undefined;
  }

  /** It gets what has passed, and then what comes. */
  add(sink: Sink): void {
    const { promise: gone, resolve: leave } = Promise.withResolvers<void>();
    const receiver: Receiver = { last: Promise.resolve(), gone, leave };
    this.#receivers.set(sink, receiver);
    for (const item of this.#kept ?? []) void this.#queue(sink, receiver, () => sink.write(item));
    if (this.#ended) void this.#queue(sink, receiver, () => sink.end());
  }

  /** It is no longer waited for. */
  remove(sink: Sink): void {
    this.#receivers.get(sink)?.leave();
    this.#receivers.delete(sink);
  }

  /** Resolves when there is room for more at all of them. */
  async send(item: unknown): Promise<void> {
    this.#keep(item);
    await this.#toAll((sink) => sink.write(item));
  }

  /** Nothing more comes. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#toAll((sink) => sink.end());
  }

  async #toAll(run: (sink: Sink) => Promise<void>): Promise<void> {
    const all = [...this.#receivers].map(([sink, receiver]) =>
      Promise.race([this.#queue(sink, receiver, () => run(sink)), receiver.gone])
    );
    await Promise.all(all);
  }

  #queue(sink: Sink, receiver: Receiver, run: () => Promise<void>): Promise<void> {
    // Whoever fails to take it has its own way of saying why.
    receiver.last = receiver.last.then(run).catch(() => this.remove(sink));
    return receiver.last;
  }

  #keep(item: unknown): void {
    if (this.#kept === undefined) return;
    this.#keptBytes += weightOf(item);
    if (this.#keptBytes > INPUT_KEPT_BYTES_MAX) this.#kept = undefined;
    else this.#kept.push(item);
  }
}

/** The receiver at the other end of a call. */
export function sinkOf(call: Call): Sink {
  return { write: (item) => call.send(item), end: () => call.end() };
}
