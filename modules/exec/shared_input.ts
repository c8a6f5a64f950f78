/** One source of input for several programs at once, each in a session of its own: the slowest sets the pace. */

import { Mailbox } from "./mailbox.ts";

/** What one of the programs reads. */
export interface InputShare extends Disposable {
  /** Throws what the source throws. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Input for programs. */
export interface InputSource {
  /** For one more reader. */
  open(): InputShare;
  /** Each reader gets all of it, however late it comes; otherwise each `open` is for a reader that was foreseen. */
  readonly repeats: boolean;
}

export class SharedInput implements InputSource {
  readonly repeats = false;
  readonly #shares: Mailbox<Uint8Array>[] = [];
  readonly #source: AsyncIterable<Uint8Array>;
  readonly #readers: number;
  #failed: { readonly error: unknown } | undefined;

  /** Nothing is read before so many have come. */
  constructor(source: AsyncIterable<Uint8Array>, readers: number) {
    this.#source = source;
    this.#readers = readers;
  }

  /** One more reader; when it is disposed, the others no longer wait for it. */
  open(): InputShare {
    const share = new Mailbox<Uint8Array>();
    this.#shares.push(share);
    if (this.#shares.length === this.#readers) void this.#pump();
    return { bytes: this.#read(share), [Symbol.dispose]: () => share.close() };
  }

  /** Never rejects. */
  async #pump(): Promise<void> {
    try {
      for await (const bytes of this.#source) {
        await Promise.all(this.#shares.map((share) => share.put(bytes)));
      }
    } catch (error) {
      this.#failed = { error };
    }
    for (const share of this.#shares) share.close();
  }

  async *#read(share: Mailbox<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    yield* share.items();
    if (this.#failed !== undefined) throw this.#failed.error;
  }
}
