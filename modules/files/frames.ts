/** Bytes with their length before them, over the pipes between a daemon and a process that copies. */

import { ProtocolError, Scratch } from "../../core/mod.ts";
import { PIECE_BYTES_MAX } from "./limits.ts";

const LENGTH_BYTES = 4;
/** A need of a full batch fits too. */
const FRAME_BYTES_MAX = 2 * PIECE_BYTES_MAX;

/** Makes frames one after the other. */
export class Framer {
  readonly #head = new Uint8Array(LENGTH_BYTES);
  readonly #scratch = new Scratch();

  /** Parts may be empty. Valid until the next one. */
  frame(...parts: readonly Uint8Array[]): Uint8Array {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    new DataView(this.#head.buffer).setUint32(0, length);
    return this.#scratch.join(this.#head, ...parts);
  }
}

/** Parts may be empty. */
export function framed(...parts: readonly Uint8Array[]): Uint8Array {
  return new Framer().frame(...parts);
}

/** Throws ProtocolError when the bytes end within a frame. */
export async function* readFrames(
  stream: AsyncIterable<Uint8Array>,
  options: {
    /** A frame is valid until the next one is asked for. @default it is bytes of its own */
    readonly lent?: boolean;
  } = {},
): AsyncGenerator<Uint8Array, void, void> {
  let memory = new Uint8Array(0);
  const room = (length: number): Uint8Array => {
    if (!options.lent) return new Uint8Array(length);
    if (memory.length < length) memory = new Uint8Array(length);
    return memory.subarray(0, length);
  };
  const head = new Uint8Array(LENGTH_BYTES);
  let headBytes = 0;
  let body: Uint8Array | undefined;
  let bodyBytes = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length;) {
      if (body === undefined) {
        const taken = chunk.subarray(at, at + LENGTH_BYTES - headBytes);
        head.set(taken, headBytes);
        headBytes += taken.length;
        at += taken.length;
        if (headBytes < LENGTH_BYTES) break;
        const length = new DataView(head.buffer).getUint32(0);
        if (length > FRAME_BYTES_MAX) throw new ProtocolError(`A frame of ${length} bytes`);
        body = room(length);
        headBytes = bodyBytes = 0;
      }
      const taken = chunk.subarray(at, at + body.length - bodyBytes);
      body.set(taken, bodyBytes);
      bodyBytes += taken.length;
      at += taken.length;
      if (bodyBytes < body.length) break;
      yield body;
      body = undefined;
    }
  }
  if (body !== undefined || headBytes > 0) throw new ProtocolError("A frame broke off");
}
