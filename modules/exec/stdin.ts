/** Our stdin: what is there of it, and as pieces that the user has signed (see signed_input.ts). */

import { signPieces } from "../shared/signed_input.ts";
import { INPUT_PIECE_BYTES_MAX } from "./limits.ts";

/** Begins to read at once, so that an empty stdin is known to be empty when it is asked for. */
export class Stdin {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #first: Promise<IteratorResult<Uint8Array>>;
  #isEmpty = false;

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#iterator = bytes[Symbol.asyncIterator]();
    this.#first = this.#iterator.next();
    this.#first.then(({ done }) => this.#isEmpty = done === true, () => {
      // Told to who reads it.
    });
  }

  /** It is known to have nothing. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /** As it comes. Once. */
  async *bytes(): AsyncGenerator<Uint8Array, void, void> {
    for (let next = await this.#first; !next.done; next = await this.#iterator.next()) {
      yield next.value;
    }
  }
}

/** Ends with the piece that says that it is the end. */
export function signedPieces(
  input: AsyncIterable<Uint8Array>,
  options: Parameters<typeof signPieces>[1],
): AsyncGenerator<Uint8Array, void, void> {
  return signPieces(cut(input), options);
}

async function* cut(
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of input) {
    for (let at = 0; at < chunk.length; at += INPUT_PIECE_BYTES_MAX) {
      yield chunk.subarray(at, at + INPUT_PIECE_BYTES_MAX);
    }
  }
}
