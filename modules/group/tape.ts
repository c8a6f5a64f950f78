/**
 * What one run has streamed, of which the end is kept: a copy of the operation that arrives on another
 * way, because a relay has died, reads it again. Whoever came last sets the pace; without a reader the
 * writer waits.
 */

import { TAPE_AHEAD_BYTES, TAPE_BYTES_MAX } from "./limits.ts";
import { weightOf } from "./weight.ts";

interface Entry {
  readonly value: unknown;
  readonly bytes: number;
}

export class Tape {
  readonly #entries: Entry[] = [];
  /** Place of the first entry that is kept. */
  #first = 0;
  #bytes = 0;
  /** Of what the newest reader has not read. */
  #unread = 0;
  #newest: symbol | undefined;
  #flowing = false;
  #finished = false;
  #waiting: (() => void)[] = [];

  /** Bytes that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  push(value: unknown): void {
    const bytes = weightOf(value);
    this.#entries.push({ value, bytes });
    this.#bytes += bytes;
    this.#unread += bytes;
    this.#wake();
  }

  /** Resolves when the newest reader has read nearly all, or nobody shall wait any more. */
  async room(): Promise<void> {
    while (!this.#flowing && this.#unread > TAPE_AHEAD_BYTES) await this.#change();
  }

  /** From now on the writer is not slowed down. Idempotent. */
  release(): void {
    this.#flowing = true;
    this.#wake();
  }

  /** Nothing more comes. Idempotent. */
  finish(): void {
    this.#finished = true;
    this.#wake();
  }

  /** Readers that come from now on get nothing of it. */
  forget(): void {
    this.#first += this.#entries.length;
    this.#entries.length = 0;
    this.#bytes = this.#unread = 0;
  }

  /** From the first entry that is kept to the last one, each with its place in the whole. */
  async *read(): AsyncGenerator<readonly [place: number, value: unknown], void, void> {
    const own = Symbol();
    this.#newest = own;
    this.#unread = this.#bytes;
    let at = this.#first;
    for (;;) {
      at = Math.max(at, this.#first);
      const entry = this.#entries[at - this.#first];
      if (entry !== undefined) {
        at++;
        if (this.#newest === own) this.#wasRead(entry, at);
        yield [at - 1, entry.value];
      } else if (this.#finished) return;
      else await this.#change();
    }
  }

  #wasRead({ bytes }: Entry, next: number): void {
    this.#unread -= bytes;
    while (this.#bytes > TAPE_BYTES_MAX && this.#first < next) {
      this.#bytes -= (this.#entries.shift() as Entry).bytes;
      this.#first++;
    }
    this.#wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
