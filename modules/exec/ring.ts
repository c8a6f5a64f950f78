/**
 * The last output of a background job: what is new pushes out what is oldest, whoever reads or does
 * not. A reader learns how much it has missed.
 */

import { RING_BYTES_MAX } from "./limits.ts";
import type { Chunk } from "./program.ts";

/** What a chunk costs besides its bytes: a program may write them one by one. */
const CHUNK_BYTES = 64;

export class Ring {
  readonly #chunks: Chunk[] = [];
  /** Chunks and bytes that were pushed out. */
  #goneChunks = 0;
  #goneBytes = 0;
  #bytes = 0;
  #finished = false;
  #waiting: (() => void)[] = [];

  /** Bytes of all that was ever written. */
  get written(): number {
    return this.#goneBytes + this.#bytes;
  }

  push(chunk: Chunk): void {
    // Not a view: what is small must not keep a large buffer alive.
    this.#chunks.push([chunk[0], chunk[1].slice()]);
    this.#bytes += chunk[1].length;
    while (this.#bytes + CHUNK_BYTES * this.#chunks.length > RING_BYTES_MAX) {
      const [, bytes] = this.#chunks.shift() as Chunk;
      this.#bytes -= bytes.length;
      this.#goneBytes += bytes.length;
      this.#goneChunks++;
    }
    this.#wake();
  }

  /** Nothing more comes. */
  finish(): void {
    this.#finished = true;
    this.#wake();
  }

  /**
   * What is there and, with `follow`, what comes until the end. Returns the bytes that it missed.
   * Ends early when the signal aborts.
   */
  async *read(
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<Chunk, number, void> {
    const { follow, signal } = options;
    const stop = () => this.#wake();
    signal.addEventListener("abort", stop);
    let next = 0;
    let read = 0;
    let missed = 0;
    try {
      while (!signal.aborted) {
        if (next < this.#goneChunks) {
          missed += this.#goneBytes - read;
          read = this.#goneBytes;
          next = this.#goneChunks;
        }
        const chunk = this.#chunks[next - this.#goneChunks];
        if (chunk !== undefined) {
          next++;
          read += chunk[1].length;
          yield chunk;
        } else if (this.#finished || !follow) break;
        else await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
      return missed;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
