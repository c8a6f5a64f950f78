/**
 * What waits to be written to one conduit: by priority, and within one priority the streams take
 * turns, a part at a time, each stream in its own order. A long message is begun only when the other
 * end has room to join it beside those that are begun already, since it cuts whoever sends more than
 * that; until then other streams go first. Pure bookkeeping, no I/O.
 */

import {
  CUT_BYTES_MIN,
  QUEUED_MESSAGE_BYTES,
  REASSEMBLY_BYTES_MAX,
  UNFINISHED_MESSAGE_BYTES,
} from "../limits.ts";
import { KIND, PRIORITY } from "./message.ts";
import type { Outgoing } from "./part.ts";

interface Lane {
  readonly stream: number;
  /** The first one may be partly sent. */
  readonly messages: Outgoing[];
}

const PRIORITIES = PRIORITY.control + 1;

/** The queue behind a conduit's one writer. */
export class Outbox {
  /** Per priority: lanes that have something to send, next one first. */
  readonly #rings: Lane[][] = Array.from({ length: PRIORITIES }, () => []);
  readonly #lanes: Map<number, Lane>[] = Array.from({ length: PRIORITIES }, () => new Map());
  #bytes = 0;
  #messages = 0;
  /** What the other end has reserved for messages of which we have sent a part. */
  #begun = 0;

  /** Body bytes that wait, and what each waiting message costs besides. */
  get bytes(): number {
    return this.#bytes;
  }

  get empty(): boolean {
    return this.#messages === 0;
  }

  push(outgoing: Outgoing): void {
    const lanes = this.#lanes[outgoing.priority] as Map<number, Lane>;
    let lane = lanes.get(outgoing.stream);
    if (lane === undefined) {
      lane = { stream: outgoing.stream, messages: [] };
      lanes.set(outgoing.stream, lane);
      (this.#rings[outgoing.priority] as Lane[]).push(lane);
    }
    if (outgoing.kind === KIND.cancel) this.#dropUnsentItems(lane);
    lane.messages.push(outgoing);
    this.#bytes += QUEUED_MESSAGE_BYTES + outgoing.body.length;
    this.#messages++;
  }

  /** The message of which a part goes next; call {@link advance} after each part. */
  peek(): Outgoing | undefined {
    for (let priority = PRIORITIES - 1; priority >= 0; priority--) {
      for (const lane of this.#rings[priority] as Lane[]) {
        const message = lane.messages[0] as Outgoing;
        if (message.sent > 0 || this.#mayBegin(message)) return message;
      }
    }
    return undefined;
  }

  /** A part of `outgoing`, which peek gave, was taken: `partBytes` of its body. */
  advance(outgoing: Outgoing, partBytes: number): void {
    const lanes = this.#lanes[outgoing.priority] as Map<number, Lane>;
    const ring = this.#rings[outgoing.priority] as Lane[];
    const lane = lanes.get(outgoing.stream) as Lane;
    if (ring[0] === lane) ring.shift();
    else ring.splice(ring.indexOf(lane), 1);
    this.#bytes -= partBytes;
    const { length } = outgoing.body;
    const begins = outgoing.sent === partBytes;
    if (outgoing.sent < length) {
      if (begins) this.#begun += length + UNFINISHED_MESSAGE_BYTES;
    } else {
      if (!begins) this.#begun -= length + UNFINISHED_MESSAGE_BYTES;
      this.#bytes -= QUEUED_MESSAGE_BYTES;
      this.#messages--;
      lane.messages.shift();
      if (lane.messages.length === 0) {
        lanes.delete(lane.stream);
        return;
      }
    }
    ring.push(lane);
  }

  clear(): void {
    for (const ring of this.#rings) ring.length = 0;
    for (const lanes of this.#lanes) lanes.clear();
    this.#bytes = this.#messages = this.#begun = 0;
  }

  #mayBegin({ body: { length } }: Outgoing): boolean {
    return length <= CUT_BYTES_MIN ||
      this.#begun + length + UNFINISHED_MESSAGE_BYTES <= REASSEMBLY_BYTES_MAX;
  }

  /** Nobody wants the items of a stream that is being cancelled (^C overtakes stdin). */
  #dropUnsentItems(lane: Lane): void {
    for (let i = lane.messages.length - 1; i >= 0; i--) {
      const message = lane.messages[i] as Outgoing;
      if (message.kind !== KIND.item || message.sent > 0) continue;
      lane.messages.splice(i, 1);
      this.#bytes -= QUEUED_MESSAGE_BYTES + message.body.length;
      this.#messages--;
    }
  }
}
