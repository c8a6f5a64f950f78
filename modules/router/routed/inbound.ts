/**
 * The receiving half of a routed conduit: puts packets into the order of their numbers, each once,
 * and hands out their bytes. A packet that is not the other end's, comes again or lies outside of the
 * window leaves no trace. Bookkeeping only.
 */

import {
  type EndToEndCipher,
  nextEpoch,
  PACKET,
  packetNumber,
  ProtocolError,
  SEALED_OVERHEAD_BYTES,
} from "../../../core/mod.ts";
import { REPORT_RANGES_MAX, WINDOW_BYTES_MAX, WINDOW_PACKETS_MAX } from "./limits.ts";
import { MARK } from "./outbound.ts";
import type { Range } from "./report.ts";

const SEALED_AT = SEALED_OVERHEAD_BYTES - 16;

/** What came of a packet: in order; beyond a hole; had already, so a report was lost; nothing. */
export type Arrival = "next" | "early" | "again" | "none";

interface Opened {
  readonly isMark: boolean;
  readonly plain: Uint8Array;
}

export class Inbound {
  readonly #cipher: EndToEndCipher;
  #next = 0;
  /** Opened, by number, all above `#next`. */
  readonly #early = new Map<number, Opened>();
  #earlyBytes = 0;
  #ready: Uint8Array[] = [];
  #readyBytes = 0;
  #ended = false;
  #discards = false;

  constructor(cipher: EndToEndCipher) {
    this.#cipher = cipher;
  }

  /** The number expected next. */
  get next(): number {
    return this.#next;
  }

  /** Bytes from there on that there is room for. */
  get room(): number {
    return Math.max(0, WINDOW_BYTES_MAX - this.#readyBytes);
  }

  /** The other end said that nothing comes after what is here. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Bytes that can be read now. */
  get readyBytes(): number {
    return this.#readyBytes;
  }

  /** Takes a data packet or a mark, which is ours from then on. Throws ProtocolError. */
  take(packet: Uint8Array): Arrival {
    const number = packetNumber(packet);
    if (number < this.#next || this.#early.has(number)) return "again";
    const bytes = packet.length - SEALED_OVERHEAD_BYTES;
    if (this.#ended || number >= this.#next + WINDOW_PACKETS_MAX) return "none";
    if (this.#earlyBytes + bytes > this.room) return "none";
    const out = packet.subarray(SEALED_AT);
    if (this.#cipher.open(packet, out) < 0) return "none";
    const opened = { isMark: packet[0] === PACKET.mark, plain: out.subarray(0, bytes) };
    if (number > this.#next) {
      this.#early.set(number, opened);
      this.#earlyBytes += bytes;
      return "early";
    }
    this.#deliver(opened);
    for (;;) {
      const held = this.#early.get(this.#next);
      if (held === undefined) break;
      this.#early.delete(this.#next);
      this.#earlyBytes -= held.plain.length;
      this.#deliver(held);
    }
    this.#cipher.forget(this.#next);
    return "next";
  }

  /** Copies what is here; 0 when nothing is. */
  read(into: Uint8Array): number {
    let at = 0;
    let used = 0;
    for (const chunk of this.#ready) {
      if (at === into.length) break;
      const part = chunk.subarray(0, into.length - at);
      into.set(part, at);
      at += part.length;
      if (part.length < chunk.length) {
        this.#ready[used] = chunk.subarray(part.length);
        break;
      }
      used++;
    }
    if (used > 0) this.#ready.splice(0, used);
    this.#readyBytes -= at;
    return at;
  }

  /** Nobody will read any more. */
  discard(): void {
    this.#discards = true;
    this.#ready = [];
    this.#readyBytes = 0;
  }

  /** What has arrived beyond the first hole. */
  ranges(): Range[] {
    const ranges: Range[] = [];
    if (this.#early.size === 0) return ranges;
    let last: { from: number; length: number } | undefined;
    for (const number of [...this.#early.keys()].sort((a, b) => a - b)) {
      const from = number - this.#next;
      if (last !== undefined && last.from + last.length === from) last.length++;
      else if (ranges.length === REPORT_RANGES_MAX) break;
      else ranges.push(last = { from, length: 1 });
    }
    return ranges;
  }

  #deliver({ isMark, plain }: Opened): void {
    this.#next++;
    if (!isMark) {
      if (this.#discards || plain.length === 0) return;
      this.#ready.push(plain);
      this.#readyBytes += plain.length;
    } else if (plain.length === 1 && plain[0] === MARK.end) this.#ended = true;
    else if (plain.length === 1 && plain[0] === MARK.nextKey) {
      this.#next = nextEpoch(this.#next - 1);
    } else throw new ProtocolError("Peer sent a mark that says nothing we know");
  }
}
