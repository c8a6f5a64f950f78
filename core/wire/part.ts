/**
 * Parts: what one frame holds. A message that fits is one part; a longer one is cut, and its first
 * part says how long the body will be, so that the receiver reserves memory before it takes it.
 *
 *   u8 version | u8 kind | u8 flags | u8 priority | u32 stream
 *   first part, if MORE:             u32 total body bytes
 *   first part of request or event:  u32 deadline ms | u8 verb length | verb
 *   body bytes
 *
 * Kinds 0 and 255 are the conduit's own: goodbye, whose body is the reason as text, and rekey.
 * Pure functions.
 */

import { ProtocolError } from "../errors.ts";
import { GOODBYE_BYTES_MAX, MESSAGE_BYTES_MAX } from "../limits.ts";
import type { Kind, Message, Priority } from "./message.ts";
import { KIND, PRIORITY, WIRE_VERSION } from "./message.ts";

export const PART_HEADER_BYTES = 8;
const VERB_BYTES_MAX = 255;
/** Header, total, deadline and the longest verb. */
export const PART_HEADER_BYTES_MAX = PART_HEADER_BYTES + 4 + 4 + 1 + VERB_BYTES_MAX;
export const GOODBYE = 0;
/** The sender has a new key from the next frame on. No body. */
export const REKEY = 255;

const FLAG_SIGNED = 1;
/** The body is raw bytes, not MessagePack. */
const FLAG_RAW = 2;
/** More parts of this message follow. */
const FLAG_MORE = 4;
/** This is not the first part of its message. */
const FLAG_NEXT = 8;
const FLAGS_KNOWN = FLAG_SIGNED | FLAG_RAW | FLAG_MORE | FLAG_NEXT;
const U32_MAX = 0xffff_ffff;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export type PartKind = Kind | typeof GOODBYE | typeof REKEY;

/** A message with its body as bytes, being cut into parts. */
export interface Outgoing {
  readonly kind: PartKind;
  readonly priority: Priority;
  readonly stream: number;
  readonly verb: string;
  readonly deadlineMs: number;
  readonly signed: boolean;
  readonly raw: boolean;
  readonly body: Uint8Array;
  /** Body bytes that went out already. */
  sent: number;
}

/**
 * Writes the next part of `outgoing` into `out` from `offset`, at most `room` bytes (at least
 * PART_HEADER_BYTES_MAX). Returns the bytes written; the message is done when sent = body length.
 */
export function writePart(
  outgoing: Outgoing,
  out: Uint8Array,
  offset: number,
  room: number,
): number {
  const first = outgoing.sent === 0;
  const named = first && hasVerb(outgoing.kind);
  let at = offset + PART_HEADER_BYTES;
  const left = outgoing.body.length - outgoing.sent;
  // Verbs are names (R3), so a character is a byte.
  const nameLength = named ? 5 + outgoing.verb.length : 0;
  const more = left > room - PART_HEADER_BYTES - nameLength;
  if (more && first) {
    at = writeU32(out, at, outgoing.body.length);
  }
  if (named) {
    at = writeU32(out, at, Math.min(U32_MAX, Math.ceil(outgoing.deadlineMs)));
    const verbBytes =
      encoder.encodeInto(outgoing.verb, out.subarray(at + 1, at + 1 + VERB_BYTES_MAX)).written;
    out[at] = verbBytes;
    at += 1 + verbBytes;
  }
  const take = more ? Math.min(left, room - (at - offset)) : left;
  out.set(outgoing.body.subarray(outgoing.sent, outgoing.sent + take), at);
  out[offset] = WIRE_VERSION;
  out[offset + 1] = outgoing.kind;
  out[offset + 2] = (outgoing.signed ? FLAG_SIGNED : 0) | (outgoing.raw ? FLAG_RAW : 0) |
    (more ? FLAG_MORE : 0) | (first ? 0 : FLAG_NEXT);
  out[offset + 3] = outgoing.priority;
  writeU32(out, offset + 4, outgoing.stream);
  outgoing.sent += take;
  return at + take - offset;
}

/** One received part; `body` is a view into the frame. */
export interface Part {
  readonly kind: PartKind;
  readonly priority: Priority;
  readonly stream: number;
  readonly signed: boolean;
  readonly raw: boolean;
  readonly more: boolean;
  readonly next: boolean;
  /** Total body bytes of the message; the body's own length when it is all here. */
  readonly total: number;
  readonly verb: string;
  readonly deadlineMs: number;
  readonly body: Uint8Array;
}

/** Reads what {@link writePart} wrote. Throws ProtocolError. */
export function readPart(frame: Uint8Array): Part {
  if (frame.length < PART_HEADER_BYTES) throw short(frame.length);
  if (frame[0] !== WIRE_VERSION) {
    throw new ProtocolError(`Frame has version ${frame[0]}, we speak ${WIRE_VERSION}`);
  }
  const kind = frame[1] as PartKind;
  const flags = frame[2] as number;
  const priority = frame[3] as Priority;
  if (kind > KIND.event && kind !== REKEY) {
    throw new ProtocolError(`Frame has unknown kind ${kind}`);
  }
  if ((flags & ~FLAGS_KNOWN) !== 0) throw new ProtocolError(`Frame has unknown flags ${flags}`);
  if (priority > PRIORITY.control) {
    throw new ProtocolError(`Frame has unknown priority ${priority}`);
  }
  const more = (flags & FLAG_MORE) !== 0;
  const next = (flags & FLAG_NEXT) !== 0;
  if ((more || next) && (kind === GOODBYE || kind === REKEY)) {
    throw new ProtocolError(`Frame of kind ${kind} is cut`);
  }
  let at = PART_HEADER_BYTES;
  let total = -1;
  if (more && !next) {
    if (frame.length < at + 4) throw short(frame.length);
    total = readU32(frame, at);
    at += 4;
    if (total > MESSAGE_BYTES_MAX) {
      throw new ProtocolError(
        `Message of ${total} bytes is over the limit of ${MESSAGE_BYTES_MAX}`,
      );
    }
  }
  let verb = "";
  let deadlineMs = 0;
  if (!next && hasVerb(kind)) {
    if (frame.length < at + 5) throw short(frame.length);
    deadlineMs = readU32(frame, at);
    const length = frame[at + 4] as number;
    at += 5;
    if (frame.length < at + length) throw short(frame.length);
    verb = ascii(frame, at, length);
    at += length;
  }
  const body = frame.subarray(at);
  if (more && body.length === 0) throw new ProtocolError("Part of a message holds nothing of it");
  if (total >= 0 && total <= body.length) {
    throw new ProtocolError(`Message of ${total} bytes is cut after ${body.length}`);
  }
  return {
    kind,
    priority,
    stream: readU32(frame, 4),
    signed: (flags & FLAG_SIGNED) !== 0,
    raw: (flags & FLAG_RAW) !== 0,
    more,
    next,
    total: total < 0 ? body.length : total,
    verb,
    deadlineMs,
    body,
  };
}

/** The body of a goodbye, as text. */
export function goodbyeText(body: Uint8Array): string {
  if (body.length > GOODBYE_BYTES_MAX) {
    throw new ProtocolError(`Goodbye has ${body.length} bytes, ${GOODBYE_BYTES_MAX} is the most`);
  }
  try {
    return decoder.decode(body);
  } catch {
    throw new ProtocolError("Goodbye is not UTF-8");
  }
}

/** The message that a whole body makes. */
export function toMessage(part: Part, body: unknown, weight: number): Message {
  return {
    kind: part.kind as Kind,
    priority: part.priority,
    stream: part.stream,
    verb: part.verb,
    deadlineMs: part.deadlineMs,
    signed: part.signed,
    body,
    weight,
  };
}

/** Whether a verb can travel as it is: ASCII that fits its length byte. */
export function isVerbText(verb: string): boolean {
  if (verb.length > VERB_BYTES_MAX) return false;
  for (let i = 0; i < verb.length; i++) if (verb.charCodeAt(i) > 0x7f) return false;
  return true;
}

function hasVerb(kind: number): boolean {
  return kind === KIND.request || kind === KIND.event;
}

/** Verb names are ASCII (R3); anything else becomes a name that no table has. */
function ascii(bytes: Uint8Array, at: number, length: number): string {
  let text = "";
  for (let i = at; i < at + length; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}

function writeU32(out: Uint8Array, at: number, value: number): number {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
  return at + 4;
}

function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 24 | (bytes[at + 1] as number) << 16 |
    (bytes[at + 2] as number) << 8 | (bytes[at + 3] as number)) >>> 0;
}

function short(length: number): ProtocolError {
  return new ProtocolError(`Frame of ${length} bytes is too short for its header`);
}
