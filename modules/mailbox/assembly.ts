/**
 * Letters that come in parts. Room for the whole letter is reserved with its first part; the parts come
 * one after the other, each a signed request of the same sender. Who does not go on in time, or sends
 * what does not fit, loses what came: a letter is in its mailbox as a whole or not at all.
 */

import { CallError, type Clock, type Timer } from "../../core/mod.ts";
import type { Put, PutReply, Sender } from "./letter.ts";
import { PART_MS_MAX } from "./limits.ts";
import type { Mailboxes, Parcel, Patience } from "./mailboxes.ts";

interface Unfinished {
  readonly tag: string;
  readonly total: number;
  readonly parcel: Parcel;
  readonly chunks: Uint8Array[];
  received: number;
  timer: Timer;
}

const KEPT: PutReply = { kept: true, full: null };

export class Assembly implements Disposable {
  readonly #clock: Clock;
  readonly #mailboxes: Mailboxes;
  /** By key of the sender and id. */
  readonly #unfinished = new Map<string, Unfinished>();

  constructor(clock: Clock, mailboxes: Mailboxes) {
    this.#clock = clock;
    this.#mailboxes = mailboxes;
  }

  /** Rejects with CallError for a part that does not go on where the last one ended. */
  async put(part: Put, from: Sender, patience: Patience): Promise<PutReply> {
    const key = `${from.keyId} ${part.id}`;
    if (part.offset > 0) return this.#goOn(part, from, key);
    const { tag, total, data } = part;
    if (data.length > total || (data.length === 0 && total > 0)) throw this.#misfit(part);
    if (this.#unfinished.has(key)) throw this.#misfit(part);
    const parcel = { tag, bytes: total, sender: from.keyId };
    const full = await this.#mailboxes.reserve(parcel, patience);
    if (full !== undefined) return { kept: false, full };
    // Another first part of this letter may have waited for room as well.
    if (this.#unfinished.has(key)) {
      this.#mailboxes.release(parcel);
      throw this.#misfit(part);
    }
    const begun: Unfinished = {
      tag,
      total,
      parcel,
      // The request that it came in must not stay in memory because of it.
      chunks: [data.slice()],
      received: data.length,
      timer: this.#expiry(key),
    };
    this.#unfinished.set(key, begun);
    return this.#finishIfWhole(begun, from, key);
  }

  [Symbol.dispose](): void {
    for (const key of [...this.#unfinished.keys()]) this.#drop(key);
  }

  #goOn(part: Put, from: Sender, key: string): PutReply {
    const begun = this.#unfinished.get(key);
    if (begun === undefined) {
      throw new CallError("failed", "Message is forgotten: its last part came too long ago", {
        detail: { reason: "too-late" },
      });
    }
    const { data } = part;
    const fits = part.tag === begun.tag && part.total === begun.total &&
      part.offset === begun.received && data.length > 0 &&
      begun.received + data.length <= begun.total;
    if (!fits) {
      this.#drop(key);
      throw this.#misfit(part);
    }
    begun.chunks.push(data.slice());
    begun.received += data.length;
    begun.timer.cancel();
    begun.timer = this.#expiry(key);
    return this.#finishIfWhole(begun, from, key);
  }

  #finishIfWhole(begun: Unfinished, from: Sender, key: string): PutReply {
    const { tag, total, chunks, received, timer } = begun;
    if (received < total) return KEPT;
    timer.cancel();
    this.#unfinished.delete(key);
    this.#mailboxes.add(tag, { from, chunks, bytes: total, at: this.#clock.now() });
    return KEPT;
  }

  #expiry(key: string): Timer {
    return this.#clock.after(PART_MS_MAX, () => this.#drop(key));
  }

  #drop(key: string): void {
    const begun = this.#unfinished.get(key);
    if (begun === undefined) return;
    begun.timer.cancel();
    this.#unfinished.delete(key);
    this.#mailboxes.release(begun.parcel);
  }

  #misfit({ offset, data, total }: Put): CallError {
    const text =
      `Part of ${data.length} bytes at ${offset} does not fit a message of ${total} bytes`;
    return new CallError("invalid", text);
  }
}
