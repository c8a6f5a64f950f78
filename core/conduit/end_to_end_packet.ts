/**
 * The packets of an end-to-end conduit as they lie on the way: whoever carries them sees this much
 * and no more. Every packet names its handshake by 6 bytes, so that packets which others put on the
 * same way concern nobody else. Pure bytes; parsing checks lengths and decides nothing.
 *
 *   1 first    u8 1 | preamble 16 | source key id 32 | target key id 32 | stream id 8 | e 32 | tag 16
 *   2 answer   u8 2 | id 6 | e 32 | sealed s 48 | sealed hello
 *   3 proof    u8 3 | id 6 | sealed s 48 | sealed hello
 *   4 verdict  u8 4 | id 6 | sealed READY or REJECT
 *   5 data     u8 5 | id 6 | u64 number | sealed bytes
 *   6 mark     u8 6 | id 6 | u64 number | sealed u8: what is said between two data packets
 *   7 report   u8 7 | id 6 | u64 number | sealed acknowledgement
 *
 * id = SHA-256(the whole first packet)[0..6].
 */

import { HANDSHAKE_BYTES_MAX, KEY_ID_BYTES, TAG_BYTES } from "../limits.ts";
import { CONDUIT_KIND, encodePreamble, PREAMBLE_BYTES } from "../security/hello.ts";
import { equalBytes } from "../wire/bytes.ts";

/** Grows only at the end. */
export const PACKET = {
  first: 1,
  answer: 2,
  proof: 3,
  verdict: 4,
  data: 5,
  mark: 6,
  report: 7,
} as const;
export type PacketType = (typeof PACKET)[keyof typeof PACKET];

const ID_BYTES = 6;
const STREAM_ID_BYTES = 8;
const NUMBER_BYTES = 8;
/** Type and id, which all packets but the first one begin with. */
export const PACKET_HEAD_BYTES = 1 + ID_BYTES;
/** What lies before the sealed bytes of data, marks and reports. */
export const SEALED_HEAD_BYTES = PACKET_HEAD_BYTES + NUMBER_BYTES;
/** Where the part of the first packet ends that goes in clear, and so into the prologue. */
export const CLEAR_END = 1 + PREAMBLE_BYTES + 2 * KEY_ID_BYTES + STREAM_ID_BYTES;
export const FIRST_PACKET_BYTES = CLEAR_END + 32 + TAG_BYTES;
/** An answer or a proof. */
export const HANDSHAKE_PACKET_BYTES_MAX = PACKET_HEAD_BYTES + HANDSHAKE_BYTES_MAX;

const TARGET_AT = 1 + PREAMBLE_BYTES + KEY_ID_BYTES;
const TWO_32 = 0x1_0000_0000;
const TWO_16 = 0x1_0000;

/** No PSK: who carries it knows the mesh's, and it would keep nobody out. */
const PREAMBLE = encodePreamble({ kind: CONDUIT_KIND.endToEnd, pskId: new Uint8Array(8) });

/** What goes in clear at the beginning of a first packet. */
export function writeClear(
  { source, target, stream }: {
    readonly source: Uint8Array;
    readonly target: Uint8Array;
    /** 8 random bytes. */
    readonly stream: Uint8Array;
  },
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(CLEAR_END);
  out[0] = PACKET.first;
  out.set(PREAMBLE, 1);
  out.set(source, 1 + PREAMBLE_BYTES);
  out.set(target, TARGET_AT);
  out.set(stream, TARGET_AT + KEY_ID_BYTES);
  return out;
}

/** What of a first packet goes into the prologue behind the mesh id: all that is in clear. */
export function prologueBytes(first: Uint8Array): Uint8Array {
  return first.subarray(1, CLEAR_END);
}

/** The key that whoever sent a first packet says is theirs. */
export function sourceOf(first: Uint8Array): Uint8Array {
  return first.subarray(1 + PREAMBLE_BYTES, TARGET_AT);
}

/** Whether these bytes have the form of a first packet for that key. Costs next to nothing. */
export function isFirstPacket(packet: Uint8Array, target: Uint8Array): boolean {
  return packet.length === FIRST_PACKET_BYTES && packet[0] === PACKET.first &&
    equalBytes(packet.subarray(1, 1 + PREAMBLE_BYTES), PREAMBLE) &&
    equalBytes(packet.subarray(TARGET_AT, TARGET_AT + KEY_ID_BYTES), target);
}

/** The type of a packet that can be one; undefined for anything else. */
export function packetType(packet: Uint8Array): PacketType | undefined {
  const type = packet[0] as PacketType | undefined;
  if (type === undefined || type < PACKET.first || type > PACKET.report) return undefined;
  if (type === PACKET.first) return packet.length === FIRST_PACKET_BYTES ? type : undefined;
  if (type <= PACKET.proof && packet.length > HANDSHAKE_PACKET_BYTES_MAX) return undefined;
  const head = type >= PACKET.data ? SEALED_HEAD_BYTES : PACKET_HEAD_BYTES;
  return packet.length >= head + TAG_BYTES ? type : undefined;
}

/** Of any packet but the first. */
export function packetId(packet: Uint8Array): number {
  return idAt(packet, 1);
}

/** The name of a handshake from the hash of its first packet. */
export function idOfHash(hash: Uint8Array): number {
  return idAt(hash, 0);
}

/** Begins a packet; `number` is there for data, marks and reports. */
export function writeHead(
  out: Uint8Array,
  { type, id, number }: {
    readonly type: PacketType;
    readonly id: number;
    readonly number?: number;
  },
): void {
  out[0] = type;
  writeU16(out, 1, Math.floor(id / TWO_32));
  writeU32(out, 3, id);
  if (number === undefined) return;
  writeU32(out, PACKET_HEAD_BYTES, Math.floor(number / TWO_32));
  writeU32(out, PACKET_HEAD_BYTES + 4, number);
}

/** Of data, marks and reports; may be larger than any number that we use. */
export function packetNumber(packet: Uint8Array): number {
  return readU32(packet, PACKET_HEAD_BYTES) * TWO_32 + readU32(packet, PACKET_HEAD_BYTES + 4);
}

function idAt(bytes: Uint8Array, at: number): number {
  const high = (bytes[at] as number) * 256 + (bytes[at + 1] as number);
  return high * TWO_32 + readU32(bytes, at + 2);
}

function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) * 256 * TWO_16 + (bytes[at + 1] as number) * TWO_16 +
    (bytes[at + 2] as number) * 256 + (bytes[at + 3] as number);
}

function writeU32(out: Uint8Array, at: number, value: number): void {
  writeU16(out, at, value / TWO_16);
  writeU16(out, at + 2, value);
}

function writeU16(out: Uint8Array, at: number, value: number): void {
  out[at] = value / 256;
  out[at + 1] = value;
}
