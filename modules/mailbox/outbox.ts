/**
 * What programs of this host send through the daemon's socket, on the authority of the node's key. For
 * each target and tag one after the other, so that their order is kept; bounded in all.
 */

import { type Caller, CallError, type ModuleHost, toHex } from "../../core/mod.ts";
import type { PutReply } from "./letter.ts";
import { LETTER_BYTES_MAX, OUTBOX_BYTES_MAX } from "./limits.ts";
import { deliverByGroup, sendLetter } from "./sending.ts";

const ID_BYTES = 16;
/** How long from its making a part may be started. */
const START_MS_MAX = 5_000;

export interface Outgoing {
  readonly node: string;
  readonly tag: string;
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

export class Outbox {
  readonly #host: ModuleHost;
  readonly #group: Caller;
  /** The last letter of each line; never rejects. */
  readonly #lines = new Map<string, Promise<void>>();
  #bytes = 0;

  constructor(host: ModuleHost) {
    this.#host = host;
    this.#group = host.module("group");
  }

  /** Gathers the items of a call into one body. Rejects with CallError when it is too much. */
  async gather(items: AsyncIterable<unknown>): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    try {
      for await (const item of items) {
        if (!(item instanceof Uint8Array)) {
          throw new CallError("invalid", "A message is sent as items of bytes");
        }
        this.#hold(item.length);
        bytes += item.length;
        if (bytes > LETTER_BYTES_MAX) {
          throw new CallError("invalid", `Message has more than ${LETTER_BYTES_MAX} bytes`);
        }
        chunks.push(item.slice());
      }
      return joined(chunks, bytes);
    } finally {
      this.#bytes -= bytes;
    }
  }

  /** Resolves when the letter is in the mailbox, or there was no room. Rejects with CallError. */
  async send(body: Uint8Array, outgoing: Outgoing): Promise<PutReply> {
    this.#hold(body.length);
    const line = `${outgoing.node} ${outgoing.tag}`;
    const before = this.#lines.get(line);
    const done = Promise.withResolvers<void>();
    this.#lines.set(line, done.promise);
    try {
      await before;
      return await this.#sendNow(body, outgoing);
    } finally {
      this.#bytes -= body.length;
      if (this.#lines.get(line) === done.promise) this.#lines.delete(line);
      done.resolve();
    }
  }

  #sendNow(body: Uint8Array, { node, tag, waitMs, signal }: Outgoing): Promise<PutReply> {
    const { env: { clock, random } } = this.#host;
    return sendLetter({
      tag,
      id: toHex(random.bytes(ID_BYTES)),
      body,
      waitMs,
      clock,
      signal,
      deliver: (part) => {
        const signed = this.#host.signRequest({
          verb: "mailbox.put",
          args: part,
          targets: [node],
          ttlMs: START_MS_MAX,
        });
        return deliverByGroup(this.#group, { node, signed, waitMs: part.waitMs, signal });
      },
    });
  }

  #hold(bytes: number): void {
    if (this.#bytes + bytes > OUTBOX_BYTES_MAX) {
      throw new CallError(
        "busy",
        `More than ${OUTBOX_BYTES_MAX} bytes of messages are on their way`,
      );
    }
    this.#bytes += bytes;
  }
}

function joined(chunks: readonly Uint8Array[], bytes: number): Uint8Array {
  const [first] = chunks;
  if (chunks.length === 1 && first !== undefined) return first;
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
