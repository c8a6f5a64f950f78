/**
 * The bytes of one TCP connection as items of a call, the same at both ends. Each way ends by itself: an
 * empty item says that the socket's other end has finished sending, as does the end of the stream.
 */

import { type BytePipe, CallError } from "../../core/mod.ts";
import { CHUNK_BYTES_MAX } from "./limits.ts";

/** Says that no more bytes come this way; the other way may go on. */
export const FINISHED = new Uint8Array(0);

/** What the socket's other end sends, until it has finished. Rejects when the connection broke. */
export async function* bytesOf(pipe: BytePipe): AsyncGenerator<Uint8Array, void, void> {
  const buffer = new Uint8Array(CHUNK_BYTES_MAX);
  for (;;) {
    const count = await pipe.read(buffer);
    if (count === null) return;
    // A copy: an item is not changed once it was sent.
    yield buffer.slice(0, count);
  }
}

/** Writes items to the socket until they are over, then ends this way. Rejects when it broke. */
export async function feed(pipe: BytePipe, items: AsyncIterator<unknown>): Promise<void> {
  for (;;) {
    const { done, value } = await items.next();
    if (done) break;
    if (!(value instanceof Uint8Array)) {
      throw new CallError("invalid", "A forwarded connection carries bytes");
    }
    if (value.length === 0) break;
    await pipe.write(value);
  }
  await pipe.closeWrite();
}
