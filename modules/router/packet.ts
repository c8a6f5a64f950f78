/**
 * The packet: what routers say to each other, as the raw body of `router.forward`. Its source wrote
 * the whole path into it, itself first and the target last. Nobody on the way changes a byte but the
 * time stamps of an echo: a node finds its place by its own key id, which is in the path once, since
 * a path with a loop is refused. So forwarding copies nothing.
 *
 *   u8 version | u8 kind | u8 class | u8 priority | u8 nodes | stream id 8 | nodes x key id 32 | body
 *
 *   data        what a carrier carries
 *   refused     u8 why | key id 32 of the hop that failed | text; goes back where the packet came from
 *   echo        u64 microseconds x hops, there, and again x hops, back: each node stamps by its own
 *   echo reply  clock, so that the difference of a node's two stamps is a time and clocks need not agree
 *
 * Pure functions. A reader checks every length and gives views, never copies.
 */

import {
  fromHex,
  KEY_ID_BYTES,
  PRIORITY,
  type Priority,
  ProtocolError,
  toHex,
} from "../../core/mod.ts";
import { CARRIER_PACKET_BYTES_MAX, ROUTE_CLASSES, type RouteClass } from "../shared/carrier.ts";
import { HOPS_MAX, REFUSAL_TEXT_BYTES_MAX } from "./limits.ts";

const VERSION = 1;
const KIND_AT = 1;
const CLASS_AT = 2;
const PRIORITY_AT = 3;
const COUNT_AT = 4;
const STREAM_AT = 5;
/** Of a stream or an echo: random, chosen by who began it. */
export const STREAM_ID_BYTES = 8;
const PATH_AT = STREAM_AT + STREAM_ID_BYTES;
const STAMP_BYTES = 8;
const TWO_32 = 0x1_0000_0000;

/** Grows only at the end. */
export const PACKET_KIND = { data: 0, refused: 1, echo: 2, echoReply: 3 } as const;
/** A value of {@link PACKET_KIND}. */
export type PacketKind = (typeof PACKET_KIND)[keyof typeof PACKET_KIND];
const KINDS = Object.keys(PACKET_KIND).length;

/** Grows only at the end. */
export const REFUSAL = { busy: 0, unreachable: 1 } as const;
/** A value of {@link REFUSAL}. */
export type Refusal = (typeof REFUSAL)[keyof typeof REFUSAL];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A packet that was read; all of it are views of `bytes`. */
export interface Packet {
  readonly bytes: Uint8Array;
  readonly kind: PacketKind;
  readonly class: RouteClass;
  readonly priority: Priority;
  /** Nodes in the path less one. */
  readonly hops: number;
  readonly bodyAt: number;
}

/** Bytes before the body. */
export function headerBytes(hops: number): number {
  return PATH_AT + (hops + 1) * KEY_ID_BYTES;
}

/** Throws ProtocolError for anything that is not exactly a packet. */
export function readPacket(bytes: Uint8Array): Packet {
  if (bytes.length < PATH_AT) throw wrong(`it has only ${bytes.length} bytes`);
  if (bytes[0] !== VERSION) throw wrong(`its version is ${bytes[0]}, we speak ${VERSION}`);
  const kind = bytes[KIND_AT] as PacketKind;
  if (kind >= KINDS) throw wrong(`its kind is ${kind}`);
  const routeClass = ROUTE_CLASSES[bytes[CLASS_AT] as number];
  if (routeClass === undefined) throw wrong(`its class is ${bytes[CLASS_AT]}`);
  const priority = bytes[PRIORITY_AT] as Priority;
  if (priority > PRIORITY.control) throw wrong(`its priority is ${priority}`);
  const hops = (bytes[COUNT_AT] as number) - 1;
  if (hops < 1 || hops > HOPS_MAX) throw wrong(`its path has ${hops} hops`);
  const bodyAt = headerBytes(hops);
  if (bytes.length < bodyAt) throw wrong(`its path of ${hops} hops is cut`);
  if (hasLoop(bytes, hops)) throw wrong("its path has a loop");
  checkBody(kind, hops, bytes.length - bodyAt);
  return { bytes, kind, class: routeClass, priority, hops, bodyAt };
}

/** A view of what follows the path. */
export function bodyOf({ bytes, bodyAt }: Packet): Uint8Array {
  return bytes.subarray(bodyAt);
}

/** Hex of the stream's or echo's id. */
export function streamOf({ bytes }: Packet): string {
  return toHex(bytes.subarray(STREAM_AT, PATH_AT));
}

/** As {@link streamOf}, as bytes. */
export function streamBytesOf({ bytes }: Packet): Uint8Array {
  return bytes.subarray(STREAM_AT, PATH_AT);
}

/** Key id, hex, of the node at that place of the path; the source's is 0, the target's `hops`. */
export function nodeAt({ bytes }: Packet, place: number): string {
  const at = PATH_AT + place * KEY_ID_BYTES;
  return toHex(bytes.subarray(at, at + KEY_ID_BYTES));
}

/** The whole path, as key ids in hex. */
export function pathOf(packet: Packet): string[] {
  return Array.from({ length: packet.hops + 1 }, (_, place) => nodeAt(packet, place));
}

/** The place of a node in the path; -1: it is not in it. */
export function placeOf({ bytes, hops }: Packet, keyId: Uint8Array): number {
  for (let place = 0; place <= hops; place++) {
    const at = PATH_AT + place * KEY_ID_BYTES;
    let same = 0;
    while (same < KEY_ID_BYTES && bytes[at + same] === keyId[same]) same++;
    if (same === KEY_ID_BYTES) return place;
  }
  return -1;
}

/** What lies before the body. */
export interface HeaderFields {
  readonly kind: PacketKind;
  readonly class: RouteClass;
  readonly priority: Priority;
  /** 8 bytes. */
  readonly stream: Uint8Array;
  /** Key ids in hex, the source's first and the target's last. */
  readonly path: readonly string[];
}

/** A packet but for its body; copy it, or change its priority with {@link writePacket}. */
export function writeHeader(fields: HeaderFields): Uint8Array<ArrayBuffer> {
  const { path, stream } = fields;
  const out = new Uint8Array(headerBytes(path.length - 1));
  out[0] = VERSION;
  out[KIND_AT] = fields.kind;
  out[CLASS_AT] = ROUTE_CLASSES.indexOf(fields.class);
  out[PRIORITY_AT] = fields.priority;
  out[COUNT_AT] = path.length;
  out.set(stream, STREAM_AT);
  path.forEach((keyId, place) => out.set(fromHex(keyId), PATH_AT + place * KEY_ID_BYTES));
  return out;
}

/** A packet of a header that was written before. */
export function writePacket(
  header: Uint8Array,
  body: Uint8Array,
  priority: Priority,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(header.length + body.length);
  out.set(header);
  out.set(body, header.length);
  out[PRIORITY_AT] = priority;
  return out;
}

/** Whether the data came by the reverse of the path in `header`, which the other end may follow. */
export function isReverse({ bytes, hops }: Packet, header: Uint8Array): boolean {
  if (header[COUNT_AT] !== hops + 1) return false;
  for (let place = 0; place <= hops; place++) {
    const there = PATH_AT + place * KEY_ID_BYTES;
    const back = PATH_AT + (hops - place) * KEY_ID_BYTES;
    for (let i = 0; i < KEY_ID_BYTES; i++) if (bytes[there + i] !== header[back + i]) return false;
  }
  return true;
}

/** What the node at `place` says of a packet that it cannot carry on, to the packet's source. */
export function writeRefusal(
  packet: Packet,
  place: number,
  refusal: { readonly why: Refusal; readonly hop: string; readonly text: string },
): Uint8Array<ArrayBuffer> {
  const header = writeHeader({
    kind: PACKET_KIND.refused,
    class: packet.class,
    priority: PRIORITY.control,
    stream: streamBytesOf(packet),
    path: pathOf(packet).slice(0, place + 1).reverse(),
  });
  const text = new Uint8Array(REFUSAL_TEXT_BYTES_MAX);
  const { written } = encoder.encodeInto(refusal.text, text);
  const body = new Uint8Array(1 + KEY_ID_BYTES + written);
  body[0] = refusal.why;
  body.set(fromHex(refusal.hop), 1);
  body.set(text.subarray(0, written), 1 + KEY_ID_BYTES);
  return writePacket(header, body, PRIORITY.control);
}

/** Who refused, why, and which hop it could not take. Throws ProtocolError. */
export function readRefusal(
  packet: Packet,
): { readonly by: string; readonly why: Refusal; readonly hop: string; readonly text: string } {
  const body = bodyOf(packet);
  const why = body[0] as Refusal;
  if (why > REFUSAL.unreachable) throw wrong(`it is refused for unknown reason ${why}`);
  return {
    by: nodeAt(packet, 0),
    why,
    hop: toHex(body.subarray(1, 1 + KEY_ID_BYTES)),
    text: decoder.decode(body.subarray(1 + KEY_ID_BYTES)),
  };
}

/**
 * Where on our path the node stands that a refusal came from; -1 when it did not come by exactly the
 * reverse of that path, so that nobody off the path can speak for a node on it.
 */
export function refusedAt(
  path: readonly string[],
  refusal: { readonly path: readonly string[]; readonly hop: string },
): number {
  const at = refusal.path.length - 1;
  if (at < 0 || path[at + 1] !== refusal.hop) return -1;
  return refusal.path.every((node, place) => node === path[at - place]) ? at : -1;
}

/** An echo with no stamps yet. */
export function writeEcho(
  fields: Pick<HeaderFields, "class" | "stream" | "path">,
): Uint8Array<ArrayBuffer> {
  const header = writeHeader({ ...fields, kind: PACKET_KIND.echo, priority: PRIORITY.control });
  const stamps = new Uint8Array(2 * (fields.path.length - 1) * STAMP_BYTES);
  return writePacket(header, stamps, PRIORITY.control);
}

/** The target's answer, with the stamps so far. */
export function writeEchoReply(echo: Packet): Uint8Array<ArrayBuffer> {
  const header = writeHeader({
    kind: PACKET_KIND.echoReply,
    class: echo.class,
    priority: PRIORITY.control,
    stream: streamBytesOf(echo),
    path: pathOf(echo).reverse(),
  });
  return writePacket(header, bodyOf(echo), PRIORITY.control);
}

/** The node at `place` (not the source of the packet) writes its time into an echo or its reply. */
export function stampEcho(packet: Packet, place: number, microseconds: number): void {
  const back = packet.kind === PACKET_KIND.echoReply ? packet.hops : 0;
  const at = packet.bodyAt + (back + place - 1) * STAMP_BYTES;
  const { bytes } = packet;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = Math.max(0, Math.floor(microseconds));
  view.setUint32(at, Math.floor(whole / TWO_32));
  view.setUint32(at + 4, whole % TWO_32);
}

/**
 * For each node between source and target, in the order of the way there: microseconds by its own
 * clock from when the echo passed until its reply did. Not a number where it did not stamp twice.
 */
export function echoTimes(reply: Packet): number[] {
  const { hops } = reply;
  return Array.from({ length: hops - 1 }, (_, index) => {
    const there = stampAt(reply, index);
    const back = stampAt(reply, 2 * hops - index - 2);
    return there > 0 && back >= there ? back - there : NaN;
  });
}

function stampAt({ bytes, bodyAt }: Packet, index: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = bodyAt + index * STAMP_BYTES;
  return view.getUint32(at) * TWO_32 + view.getUint32(at + 4);
}

function checkBody(kind: PacketKind, hops: number, length: number): void {
  if (kind === PACKET_KIND.data) {
    if (length <= CARRIER_PACKET_BYTES_MAX) return;
    throw wrong(`it carries ${length} bytes, ${CARRIER_PACKET_BYTES_MAX} are the most`);
  }
  if (kind === PACKET_KIND.refused) {
    const text = length - 1 - KEY_ID_BYTES;
    if (text >= 0 && text <= REFUSAL_TEXT_BYTES_MAX) return;
    throw wrong(`its refusal has ${length} bytes`);
  }
  if (length !== 2 * hops * STAMP_BYTES) throw wrong(`its stamps have ${length} bytes`);
}

function hasLoop(bytes: Uint8Array, hops: number): boolean {
  for (let one = 1; one <= hops; one++) {
    const a = PATH_AT + one * KEY_ID_BYTES;
    for (let other = 0; other < one; other++) {
      const b = PATH_AT + other * KEY_ID_BYTES;
      let same = 0;
      while (same < KEY_ID_BYTES && bytes[a + same] === bytes[b + same]) same++;
      if (same === KEY_ID_BYTES) return true;
    }
  }
  return false;
}

function wrong(why: string): ProtocolError {
  return new ProtocolError(`Packet is malformed: ${why}`);
}
