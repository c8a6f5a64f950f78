/**
 * The sending half of a routed conduit: what was sealed and not acknowledged, what of it counts as
 * lost, and how much may be on the way. Congestion is met as TCP does it (RFC 5681: doubling, then
 * one packet a round trip, halving when something is lost), losses are found as in RFC 8985: a packet
 * is lost when others arrived that were sent later. Bookkeeping only; the pipe moves the packets.
 */

import {
  type EndToEndCipher,
  nextEpoch,
  PACKET,
  ProtocolError,
  SEALED_OVERHEAD_BYTES,
} from "../../../core/mod.ts";
import {
  FLIGHT_BYTES_START,
  FLIGHT_PACKETS_MIN,
  REORDERED_PACKETS_MAX,
  WINDOW_BYTES_MAX,
  WINDOW_PACKETS_MAX,
} from "./limits.ts";
import type { Report } from "./report.ts";
import type { RoundTrip } from "./round_trip.ts";

/** What a mark says. Grows only at the end. */
export const MARK = {
  /** Nothing comes after it. */
  end: 0,
  /** The next number is the first one of the next epoch. */
  nextKey: 1,
} as const;

const EMPTY = new Uint8Array(0);

/** One sealed packet that is not acknowledged up to here. */
export interface Flight {
  readonly number: number;
  readonly bytes: number;
  /** Given back as soon as it has arrived. */
  packet: Uint8Array;
  state: "flying" | "lost" | "arrived";
  /** Of its last sending, counted over all sendings. */
  order: number;
  sentAt: number;
  times: number;
}

export class Outbound {
  readonly #cipher: EndToEndCipher;
  readonly #roundTrip: RoundTrip;
  readonly #packetBytesMax: number;
  /** By number, without holes. */
  #flights: Flight[] = [];
  #lost: Flight[] = [];
  #next = 0;
  #held = 0;
  #flying = 0;
  /** Bytes that the other end takes from its `next` on. */
  #room = WINDOW_BYTES_MAX;
  #allowed = FLIGHT_BYTES_START;
  #slowFrom = WINDOW_BYTES_MAX;
  /** Losses below this number are of one congestion. */
  #recoverTo = 0;
  #orders = 0;
  #newest = 0;
  #mayNotFollow = false;

  constructor(
    options: {
      readonly cipher: EndToEndCipher;
      readonly roundTrip: RoundTrip;
      readonly packetBytesMax: number;
    },
  ) {
    this.#cipher = options.cipher;
    this.#roundTrip = options.roundTrip;
    this.#packetBytesMax = options.packetBytesMax;
  }

  /** Bytes of one data packet at most. */
  get dataBytesMax(): number {
    return this.#packetBytesMax - SEALED_OVERHEAD_BYTES;
  }

  /** Everything was acknowledged. */
  get isQuiet(): boolean {
    return this.#flights.length === 0;
  }

  /** Bytes that were sealed and not acknowledged. */
  get heldBytes(): number {
    return this.#held;
  }

  /** Nothing is on the way, and the other end has no room. */
  isShut(bytes: number): boolean {
    return this.#flights.length === 0 && bytes > this.#room;
  }

  /** Whether a packet with so many bytes may be sealed now. */
  mayTake(bytes: number): boolean {
    if (this.#mayNotFollow && this.#flights.length > 0) return false;
    if (this.#flights.length >= WINDOW_PACKETS_MAX || this.#held + bytes > this.#room) return false;
    return this.#flying === 0 || this.#flying + bytes <= this.#allowed;
  }

  /** A packet to be sent now. */
  seal(plain: Uint8Array, now: number): Flight {
    return this.#add(PACKET.data, plain, now);
  }

  /** Nothing may be sealed after this one. */
  sealEnd(now: number): Flight {
    return this.#add(PACKET.mark, Uint8Array.of(MARK.end), now);
  }

  /** Nothing may be sealed after this one until it was acknowledged. */
  sealNextKey(now: number): Flight {
    const flight = this.#add(PACKET.mark, Uint8Array.of(MARK.nextKey), now);
    this.#next = nextEpoch(flight.number);
    this.#mayNotFollow = true;
    return flight;
  }

  /** Whether anything that is new has arrived. Throws ProtocolError when it cannot have. */
  acknowledge(report: Report, now: number): boolean {
    const first = this.#flights[0]?.number ?? this.#next;
    if (report.next > this.#next) {
      throw new ProtocolError(`Peer has got number ${report.next - 1}, which was never sent`);
    }
    if (report.next < first) return false;
    const before = this.#flying;
    let arrived = 0;
    let done = 0;
    for (const flight of this.#flights) {
      if (flight.number >= report.next) break;
      done++;
      this.#held -= flight.bytes;
      arrived += this.#arrive(flight, now);
    }
    if (done > 0) this.#flights.splice(0, done);
    arrived += this.#takeRanges(report, now);
    this.#room = report.room;
    if (arrived === 0) return false;
    this.#roundTrip.heard();
    this.#grow(arrived, before);
    if (report.ranges.length > 0) this.#findLosses();
    return true;
  }

  /** The next packet that must be sent again and may be now; call {@link Outbound.again} with it. */
  lost(): Flight | undefined {
    for (;;) {
      const flight = this.#lost[0];
      if (flight === undefined) return undefined;
      if (flight.state === "lost") {
        return this.#flying === 0 || this.#flying + flight.bytes <= this.#allowed
          ? flight
          : undefined;
      }
      this.#lost.shift();
    }
  }

  again(flight: Flight, now: number): void {
    flight.state = "flying";
    flight.order = ++this.#orders;
    flight.sentAt = now;
    flight.times++;
    this.#flying += flight.bytes;
  }

  /** Nothing was acknowledged in time: all that is on the way counts as lost. */
  expire(): void {
    const least = this.#atLeast(0);
    // Not again with each expiry: a way that was dead says nothing about the next one.
    if (this.#allowed > least) this.#slowFrom = this.#atLeast(this.#allowed / 2);
    for (const flight of this.#flights) if (flight.state === "flying") this.#lose(flight);
    this.#allowed = least;
    this.#recoverTo = this.#next;
  }

  clear(): void {
    this.#flights = [];
    this.#lost = [];
    this.#held = this.#flying = 0;
  }

  #add(type: typeof PACKET.data | typeof PACKET.mark, plain: Uint8Array, now: number): Flight {
    const packet = new Uint8Array(plain.length + SEALED_OVERHEAD_BYTES);
    const number = this.#next++;
    this.#cipher.seal(type, { number, plain, out: packet });
    const { length: bytes } = plain;
    const order = ++this.#orders;
    const flight: Flight = {
      number,
      bytes,
      packet,
      state: "flying",
      order,
      sentAt: now,
      times: 1,
    };
    this.#mayNotFollow = false;
    this.#flights.push(flight);
    this.#held += bytes;
    this.#flying += bytes;
    return flight;
  }

  /** Bytes that were not known to have arrived. */
  #arrive(flight: Flight, now: number): number {
    if (flight.state === "arrived") return 0;
    if (flight.state === "flying") this.#flying -= flight.bytes;
    flight.state = "arrived";
    flight.packet = EMPTY;
    // Which of several sendings has arrived, nobody knows (Karn).
    if (flight.times === 1 && flight.order > this.#newest) {
      this.#newest = flight.order;
      this.#roundTrip.measured(now - flight.sentAt);
    }
    // An empty one counts too.
    return Math.max(1, flight.bytes);
  }

  #takeRanges({ next, ranges }: Report, now: number): number {
    const first = this.#flights[0]?.number ?? this.#next;
    let arrived = 0;
    for (const { from, length } of ranges) {
      const start = next + from - first;
      if (start + length > this.#flights.length) {
        throw new ProtocolError(`Peer has got number ${next + from + length - 1}, never sent`);
      }
      for (let at = start; at < start + length; at++) {
        arrived += this.#arrive(this.#flights[at] as Flight, now);
      }
    }
    return arrived;
  }

  /** Only as far as it was needed: a quiet stream has not shown what the way can take. */
  #grow(arrived: number, flying: number): void {
    if (flying * 2 < this.#allowed) return;
    const more = this.#allowed < this.#slowFrom
      ? arrived
      : arrived * this.#packetBytesMax / this.#allowed;
    this.#allowed = Math.min(WINDOW_BYTES_MAX, this.#allowed + more);
  }

  #findLosses(): void {
    const late = this.#newest - REORDERED_PACKETS_MAX;
    for (const flight of this.#flights) {
      if (flight.state !== "flying" || flight.order > late) continue;
      this.#lose(flight);
      if (flight.number < this.#recoverTo) continue;
      this.#recoverTo = this.#next;
      this.#slowFrom = this.#allowed = this.#atLeast(this.#allowed / 2);
    }
  }

  #lose(flight: Flight): void {
    flight.state = "lost";
    this.#flying -= flight.bytes;
    this.#lost.push(flight);
  }

  #atLeast(bytes: number): number {
    return Math.max(bytes, FLIGHT_PACKETS_MIN * this.#packetBytesMax);
  }
}
