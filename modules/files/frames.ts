/** Bytes with their length before them, over the pipes between a daemon and a process that copies. */

import { ProtocolError } from "../../core/mod.ts";
import { PIECE_BYTES_MAX } from "./limits.ts";

const LENGTH_BYTES = 4;
/** A need of a full batch fits too. */
const FRAME_BYTES_MAX = 2 * PIECE_BYTES_MAX;

/** Parts may be empty. */
export function framed(...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const frame = new Uint8Array(LENGTH_BYTES + length);
  new DataView(frame.buffer).setUint32(0, length);
  let at = LENGTH_BYTES;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

/** Throws ProtocolError when the bytes end within a frame. Frames are bytes of their own. */
export async function* readFrames(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
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
        body = new Uint8Array(length);
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
