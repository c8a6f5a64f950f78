/**
 * What one run has streamed, of which the end is kept: a copy of the operation that arrives on another
 * way, because a relay has died, reads it again. Whoever came last of those who read sets the pace;
 * without a reader the writer waits.
 */

import { TAPE_AHEAD_BYTES, TAPE_BYTES_MAX } from "./limits.ts";
import { weightOf } from "./weight.ts";

interface Entry {
  readonly value: unknown;
  readonly bytes: number;
}

interface Reader {
  /** Place of what it reads next. */
  at: number;
}

export class Tape {
  readonly #entries: Entry[] = [];
  /** Place of the first entry that is kept. */
  #first = 0;
  #bytes = 0;
  /** Of what the newest reader has not read. */
  #unread = 0;
  /** In the order in which they came. */
  readonly #readers: Reader[] = [];
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
    const reader = { at: this.#first };
    this.#readers.push(reader);
    this.#unread = this.#bytes;
    try {
      for (;;) {
        reader.at = Math.max(reader.at, this.#first);
        const entry = this.#entries[reader.at - this.#first];
        if (entry !== undefined) {
          const place = reader.at++;
          if (this.#readers.at(-1) === reader) this.#wasRead(entry, reader.at);
          yield [place, entry.value];
        } else if (this.#finished) return;
        else await this.#change();
      }
    } finally {
      this.#leave(reader);
    }
  }

  /** Another one sets the pace, if there is any. */
  #leave(reader: Reader): void {
    const wasNewest = this.#readers.at(-1) === reader;
    this.#readers.splice(this.#readers.indexOf(reader), 1);
    const newest = this.#readers.at(-1);
    if (!wasNewest || newest === undefined) return;
    const unread = this.#entries.slice(Math.max(0, newest.at - this.#first));
    this.#unread = unread.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#wake();
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
