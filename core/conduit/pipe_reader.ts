/**
 * Exact reads with a time limit, for the few messages of a handshake. What was read too far is
 * given back by `rest`, and belongs to the conduit.
 */

import type { BytePipe, Clock, Timer } from "../environment/environment.ts";
import { ConnectionError } from "../errors.ts";
import { HANDSHAKE_BYTES_MAX } from "../limits.ts";

export class PipeReader {
  readonly #pipe: BytePipe;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #buffer = new Uint8Array(HANDSHAKE_BYTES_MAX);
  #start = 0;
  #end = 0;
  #timer: Timer | undefined;
  #late: string | undefined;

  constructor(pipe: BytePipe, clock: Clock, signal?: AbortSignal) {
    this.#pipe = pipe;
    this.#clock = clock;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
    if (signal?.aborted) this.#onAbort();
  }

  /** From now on, the pipe is closed after `ms` milliseconds. Replaces an earlier limit. */
  limit(ms: number, what: string): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(ms, () => {
      this.#late = `${what} with ${this.#pipe.remote} took longer than ${ms} ms`;
      this.#pipe.close();
    });
  }

  /** Exactly `length` bytes, at most HANDSHAKE_BYTES_MAX; a copy. */
  async read(length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    while (this.#end < length) {
      const got = await this.#readMore();
      if (got === null) {
        throw new ConnectionError(
          "reset",
          `Connection with ${this.#pipe.remote} ended in the handshake`,
        );
      }
      this.#end += got;
    }
    this.#start = length;
    return this.#buffer.slice(0, length);
  }

  rest(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(this.#start, this.#end);
  }

  /** Ends the limit; the pipe lives on. */
  dispose(): void {
    this.#timer?.cancel();
    this.#signal?.removeEventListener("abort", this.#onAbort);
  }

  async #readMore(): Promise<number | null> {
    let got: number | null = null;
    let broken: unknown;
    try {
      got = await this.#pipe.read(this.#buffer.subarray(this.#end));
    } catch (error) {
      broken = error;
    }
    this.#signal?.throwIfAborted();
    if (this.#late !== undefined) throw new ConnectionError("timeout", this.#late);
    if (broken !== undefined) throw broken;
    return got;
  }

  readonly #onAbort = (): void => this.#pipe.close();
}
