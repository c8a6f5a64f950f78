/**
 * What waits to be written to one conduit: by priority, and within one priority the streams take
 * turns, a part at a time, each stream in its own order. Pure bookkeeping, no I/O.
 */

import { KIND, PRIORITY } from "./message.ts";
import type { Outgoing } from "./part.ts";

interface Lane {
  readonly stream: number;
  /** The message at `head` may be partly sent. */
  readonly messages: Outgoing[];
  head: number;
}

const PRIORITIES = PRIORITY.control + 1;

export class Outbox {
  /** Per priority: lanes that have something to send, next one first. */
  readonly #rings: Lane[][] = Array.from({ length: PRIORITIES }, () => []);
  readonly #lanes: Map<number, Lane>[] = Array.from({ length: PRIORITIES }, () => new Map());
  #bytes = 0;
  #messages = 0;

  /** Body bytes that wait. */
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
      lane = { stream: outgoing.stream, messages: [], head: 0 };
      lanes.set(outgoing.stream, lane);
      (this.#rings[outgoing.priority] as Lane[]).push(lane);
    }
    if (outgoing.kind === KIND.cancel) this.#dropUnsentItems(lane);
    lane.messages.push(outgoing);
    this.#bytes += outgoing.body.length;
    this.#messages++;
  }

  /** The message of which a part goes next; call {@link advance} after each part. */
  peek(): Outgoing | undefined {
    for (let priority = PRIORITIES - 1; priority >= 0; priority--) {
      const lane = (this.#rings[priority] as Lane[])[0];
      if (lane !== undefined) return lane.messages[lane.head];
    }
    return undefined;
  }

  /** A part of `outgoing`, which peek gave, was taken: `partBytes` of its body. */
  advance(outgoing: Outgoing, partBytes: number): void {
    const ring = this.#rings[outgoing.priority] as Lane[];
    const lane = ring.shift() as Lane;
    this.#bytes -= partBytes;
    if (outgoing.sent === outgoing.body.length) {
      this.#messages--;
      lane.head++;
      if (lane.head === lane.messages.length) {
        (this.#lanes[outgoing.priority] as Map<number, Lane>).delete(lane.stream);
        return;
      }
    }
    ring.push(lane);
  }

  clear(): void {
    for (const ring of this.#rings) ring.length = 0;
    for (const lanes of this.#lanes) lanes.clear();
    this.#bytes = 0;
    this.#messages = 0;
  }

  /** Nobody wants the items of a stream that is being cancelled (^C overtakes stdin). */
  #dropUnsentItems(lane: Lane): void {
    for (let i = lane.messages.length - 1; i >= lane.head; i--) {
      const message = lane.messages[i] as Outgoing;
      if (message.kind !== KIND.item || message.sent > 0) continue;
      lane.messages.splice(i, 1);
      this.#bytes -= message.body.length;
      this.#messages--;
    }
  }
}
