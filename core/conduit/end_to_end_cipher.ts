/**
 * Seals and opens the packets of an end-to-end conduit, which carry their numbers: whatever is lost,
 * doubled, altered or late does no harm to any other packet. Nonce and key follow from the number
 * alone, so a packet that is sent again is the same bytes.
 *
 * Each direction numbers twice: data and marks from 0 (the caller's numbers), reports and the verdict
 * from 2^52 (ours). Every 65,536 numbers of either begin an epoch with a new key, REKEY of the one
 * before (Noise specification, section 4.2). The receiver keeps two epochs, the lowest of which moves
 * when the caller says what it will never ask for again, or with the reports.
 */

import { AuthenticationError } from "../errors.ts";
import { REKEY_FRAMES, TAG_BYTES } from "../limits.ts";
import type { SessionKeys } from "../crypto/noise.ts";
import type { Aead, Primitives } from "../crypto/primitives.ts";
import {
  PACKET,
  PACKET_HEAD_BYTES,
  packetNumber,
  type PacketType,
  SEALED_HEAD_BYTES,
  writeHead,
} from "./end_to_end_packet.ts";

/** Where the nonces of reports begin; data never gets there. */
const REPORT_NONCES = 2 ** 52;
/** Data is bytes and nothing else; of the others the type is authenticated. */
const NO_AD = new Uint8Array(0);
const TYPE_AD = Array.from({ length: PACKET.report + 1 }, (_, type) => Uint8Array.of(type));

/** What sealing adds to the bytes of one packet. */
export const SEALED_OVERHEAD_BYTES = SEALED_HEAD_BYTES + TAG_BYTES;

export class EndToEndCipher implements Disposable {
  /** Names the session: equal at both ends, and nowhere else. */
  readonly handshakeHash: Uint8Array;
  /** Names the handshake in its packets. */
  readonly id: number;
  readonly #sendData: SendKey;
  readonly #sendReports: SendKey;
  readonly #receiveData: ReceiveKeys;
  readonly #receiveReports: ReceiveKeys;
  /** Next report of ours, and the last one of the other end. */
  #report = 0;
  #lastReport = -1;

  /** Wipes the keys that it is given. */
  constructor(primitives: Primitives, keys: SessionKeys & { readonly id: number }) {
    this.id = keys.id;
    this.handshakeHash = keys.handshakeHash;
    this.#sendData = new SendKey(primitives, keys.send);
    this.#sendReports = new SendKey(primitives, keys.send);
    this.#receiveData = new ReceiveKeys(primitives, keys.receive);
    this.#receiveReports = new ReceiveKeys(primitives, keys.receive);
    keys.send.fill(0);
    keys.receive.fill(0);
  }

  /**
   * A packet with these bytes, never twice with one number, and in rising order. Writes
   * `plain.length + SEALED_OVERHEAD_BYTES` to `out`, which must not overlap with `plain`.
   */
  seal(
    type: typeof PACKET.data | typeof PACKET.mark,
    { number, plain, out }: {
      readonly number: number;
      readonly plain: Uint8Array;
      readonly out: Uint8Array;
    },
  ): void {
    if (number >= REPORT_NONCES) throw new RangeError("End-to-end conduit has no numbers left");
    writeHead(out, { type, id: this.id, number });
    const ad = type === PACKET.data ? NO_AD : TYPE_AD[type] as Uint8Array;
    this.#sendData.at(epochOf(number)).seal(number, ad, plain, out.subarray(SEALED_HEAD_BYTES));
  }

  /** A packet that tells what has arrived here. */
  sealReport(plain: Uint8Array): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(plain.length + SEALED_OVERHEAD_BYTES);
    writeHead(out, { type: PACKET.report, id: this.id, number: this.#report });
    this.#sealOwn(PACKET.report, plain, out.subarray(SEALED_HEAD_BYTES));
    return out;
  }

  /** The responder's last word of the handshake, before anything else. */
  sealVerdict(plain: Uint8Array): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(PACKET_HEAD_BYTES + plain.length + TAG_BYTES);
    writeHead(out, { type: PACKET.verdict, id: this.id });
    this.#sealOwn(PACKET.verdict, plain, out.subarray(PACKET_HEAD_BYTES));
    return out;
  }

  /**
   * Opens data or a mark into `out`, which may begin where the packet's sealed bytes do. Returns the
   * number of bytes; -1 if it is not the other end's or its epoch is over. It is the caller who knows
   * which numbers it has had.
   */
  open(packet: Uint8Array, out: Uint8Array): number {
    const number = packetNumber(packet);
    const type = packet[0] as PacketType;
    if (number >= REPORT_NONCES || (type !== PACKET.data && type !== PACKET.mark)) return -1;
    const ad = type === PACKET.data ? NO_AD : TYPE_AD[type] as Uint8Array;
    const sealed = packet.subarray(SEALED_HEAD_BYTES);
    return tryOpen(this.#receiveData.at(epochOf(number)), { nonce: number, ad, sealed, out });
  }

  /** Opens a report in place; undefined if it is not the other end's, or not newer than the last. */
  openReport(packet: Uint8Array): Uint8Array | undefined {
    const number = packetNumber(packet);
    if (number <= this.#lastReport || number >= REPORT_NONCES) return undefined;
    return this.#openOwn(PACKET.report, number, packet.subarray(SEALED_HEAD_BYTES));
  }

  /** Opens the verdict, leaving the packet as it is; undefined if it is not the other end's. */
  openVerdict(packet: Uint8Array): Uint8Array | undefined {
    return this.#openOwn(PACKET.verdict, 0, packet.slice(PACKET_HEAD_BYTES));
  }

  /** Data and marks below this number will not be opened any more. */
  forget(number: number): void {
    this.#receiveData.forget(epochOf(number));
  }

  /** A new key for the reports, which the caller wants from time to time. */
  rekeyReports(): void {
    this.#report = nextEpoch(this.#report);
  }

  [Symbol.dispose](): void {
    const all = [this.#sendData, this.#sendReports, this.#receiveData, this.#receiveReports];
    for (const each of all) each[Symbol.dispose]();
  }

  #sealOwn(type: PacketType, plain: Uint8Array, out: Uint8Array): void {
    const number = this.#report++;
    const ad = TYPE_AD[type] as Uint8Array;
    this.#sendReports.at(epochOf(number)).seal(REPORT_NONCES + number, ad, plain, out);
  }

  #openOwn(type: PacketType, number: number, sealed: Uint8Array): Uint8Array | undefined {
    const ad = TYPE_AD[type] as Uint8Array;
    const nonce = REPORT_NONCES + number;
    const aead = this.#receiveReports.at(epochOf(number));
    const bytes = tryOpen(aead, { nonce, ad, sealed, out: sealed });
    if (bytes < 0) return undefined;
    this.#lastReport = Math.max(this.#lastReport, number);
    this.#receiveReports.forget(epochOf(number));
    return sealed.subarray(0, bytes);
  }
}

/** The first number with another key than this one has. */
export function nextEpoch(number: number): number {
  return (epochOf(number) + 1) * REKEY_FRAMES;
}

function epochOf(number: number): number {
  return Math.floor(number / REKEY_FRAMES);
}

class SendKey implements Disposable {
  readonly #aead: Aead;
  #epoch = 0;

  constructor(primitives: Primitives, key: Uint8Array) {
    this.#aead = primitives.createAead(key);
  }

  at(epoch: number): Aead {
    if (epoch < this.#epoch) throw new RangeError("Numbers of an end-to-end conduit must rise");
    for (; this.#epoch < epoch; this.#epoch++) this.#aead.rekey();
    return this.#aead;
  }

  [Symbol.dispose](): void {
    this.#aead[Symbol.dispose]();
  }
}

/** The keys of two epochs that follow each other, by parity: each of them moves two at a time. */
class ReceiveKeys implements Disposable {
  readonly #even: Aead;
  readonly #odd: Aead;
  #lowest = 0;

  constructor(primitives: Primitives, key: Uint8Array) {
    this.#even = primitives.createAead(key);
    this.#odd = primitives.createAead(key);
    this.#odd.rekey();
  }

  at(epoch: number): Aead | undefined {
    if (epoch !== this.#lowest && epoch !== this.#lowest + 1) return undefined;
    return epoch % 2 === 0 ? this.#even : this.#odd;
  }

  forget(epoch: number): void {
    for (; this.#lowest < epoch; this.#lowest++) {
      const aead = this.#lowest % 2 === 0 ? this.#even : this.#odd;
      aead.rekey();
      aead.rekey();
    }
  }

  [Symbol.dispose](): void {
    this.#even[Symbol.dispose]();
    this.#odd[Symbol.dispose]();
  }
}

function tryOpen(
  aead: Aead | undefined,
  { nonce, ad, sealed, out }: {
    readonly nonce: number;
    readonly ad: Uint8Array;
    readonly sealed: Uint8Array;
    readonly out: Uint8Array;
  },
): number {
  if (aead === undefined) return -1;
  try {
    return aead.open(nonce, ad, sealed, out);
  } catch (error) {
    if (error instanceof AuthenticationError) return -1;
    throw error;
  }
}
