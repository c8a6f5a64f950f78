/**
 * Joins the parts of long messages. Memory for a whole message is reserved before its first part is
 * taken; a peer that promises more than the limit is cut off.
 */

import { ProtocolError } from "../errors.ts";
import { REASSEMBLY_BYTES_MAX, UNFINISHED_MESSAGE_BYTES } from "../limits.ts";
import type { Part } from "./part.ts";

interface Pending {
  readonly first: Part;
  readonly body: Uint8Array<ArrayBuffer>;
  filled: number;
}

export class Joiner {
  /** By priority and stream: a stream keeps one priority, but nobody can rely on a peer's word. */
  readonly #pending = new Map<number, Pending>();
  #reserved = 0;

  /** Bytes held for messages that are not complete, with what each costs besides its body. */
  get reserved(): number {
    return this.#reserved;
  }

  /**
   * Takes one part. Returns the whole message's first part and body when it is complete. A body
   * that came in one part is a view into the frame. Throws ProtocolError.
   */
  take(part: Part): { readonly first: Part; readonly body: Uint8Array } | undefined {
    const key = part.stream * 4 + part.priority;
    const pending = this.#pending.get(key);
    if (!part.next) {
      if (pending !== undefined) {
        throw new ProtocolError(`Stream ${part.stream} starts a message inside another one`);
      }
      if (!part.more) return { first: part, body: part.body };
      const reserved = this.#reserved + part.total + UNFINISHED_MESSAGE_BYTES;
      if (reserved > REASSEMBLY_BYTES_MAX) {
        throw new ProtocolError(
          `Unfinished messages need ${reserved} bytes, over the limit of ${REASSEMBLY_BYTES_MAX}`,
        );
      }
      this.#reserved = reserved;
      const started = { first: part, body: new Uint8Array(part.total), filled: 0 };
      this.#fill(started, part);
      this.#pending.set(key, started);
      return undefined;
    }
    if (pending === undefined || pending.first.kind !== part.kind) {
      throw new ProtocolError(`Stream ${part.stream} continues a message that it did not start`);
    }
    this.#fill(pending, part);
    if (part.more) return undefined;
    if (pending.filled !== pending.body.length) {
      throw new ProtocolError(
        `Stream ${part.stream} promised ${pending.body.length} bytes and sent ${pending.filled}`,
      );
    }
    this.#pending.delete(key);
    this.#reserved -= pending.body.length + UNFINISHED_MESSAGE_BYTES;
    return { first: pending.first, body: pending.body };
  }

  #fill(pending: Pending, part: Part): void {
    if (pending.filled + part.body.length > pending.body.length) {
      throw new ProtocolError(
        `Stream ${part.stream} promised ${pending.body.length} bytes and sends more`,
      );
    }
    pending.body.set(part.body, pending.filled);
    pending.filled += part.body.length;
  }
}
