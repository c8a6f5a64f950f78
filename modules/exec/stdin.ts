/** Our stdin: what is there of it, and as pieces that the user has signed (see signed_input.ts). */

import { UsageError } from "../../core/mod.ts";
import { type SignedPiece, signPieces } from "../shared/signed_input.ts";
import { INPUT_PIECE_BYTES_MAX, INPUT_TURNS_BYTES_MAX } from "./limits.ts";

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

  /** All of it, for those who take turns. Throws UsageError when that is too much. */
  async all(): Promise<Uint8Array[]> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of this.bytes()) {
      bytes += chunk.length;
      if (bytes > INPUT_TURNS_BYTES_MAX) {
        const text =
          `Stdin of more than ${INPUT_TURNS_BYTES_MAX} bytes cannot go to nodes in turns`;
        throw new UsageError(text, { hint: "Leave --fanout away, or use -n" });
      }
      chunks.push(chunk);
    }
    return chunks;
  }
}

/** Ends with the piece that says that it is the end. */
export function signedPieces(
  input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: {
    readonly run: string;
    readonly sign: (domain: string, bytes: Uint8Array) => Promise<Uint8Array>;
  },
): AsyncGenerator<SignedPiece, void, void> {
  return signPieces(cut(input), options);
}

async function* cut(
  input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of input) {
    for (let at = 0; at < chunk.length; at += INPUT_PIECE_BYTES_MAX) {
      yield chunk.subarray(at, at + INPUT_PIECE_BYTES_MAX);
    }
  }
}
