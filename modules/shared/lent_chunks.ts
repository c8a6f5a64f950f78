/**
 * What a pipe brings, in memory that is used again: for who copies or looks at it at once. The runtime's own
 * way takes fresh memory for each read, which others have to collect.
 */

/** A chunk is valid until the next one is asked for. The stream is one of bytes. */
export class LentChunks implements AsyncIterable<Uint8Array> {
  readonly #reader: ReadableStreamBYOBReader;
  #memory: Uint8Array<ArrayBuffer>;

  constructor(stream: ReadableStream<Uint8Array>, options: { readonly bytesMax: number }) {
    this.#reader = stream.getReader({ mode: "byob" });
    this.#memory = new Uint8Array(options.bytesMax);
  }

  /** Undefined at the end, and when it was cancelled. */
  async next(): Promise<Uint8Array | undefined> {
    const { done, value } = await this.#reader.read(this.#memory);
    if (done || value === undefined) return undefined;
    this.#memory = new Uint8Array(value.buffer);
    return value;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    for (let chunk = await this.next(); chunk !== undefined; chunk = await this.next()) yield chunk;
  }

  cancel(reason?: unknown): Promise<void> {
    return this.#reader.cancel(reason);
  }
}
