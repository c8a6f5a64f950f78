/**
 * Reading and writing of our binary formats (certificates, requests, adverts, frames): big-endian
 * integers, `lp` = u16 length + bytes, `list` = u8 count + items. Strict: every length is checked
 * before it is used, and a reader must be ended, so that trailing bytes are refused. Whatever is
 * wrong becomes a ProtocolError which says in what, at which byte and in which field.
 *
 * A reader hands out views of the bytes it was given, never copies: whoever keeps them keeps the
 * whole message alive, and nobody may change them.
 */
import { ProtocolError } from "../errors.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Names and endpoints; a call of the runtime's decoder costs more than to look at so many bytes. */
const SHORT_TEXT_BYTES = 48;

/** Larger memory is not kept for the next time. */
const SCRATCH_BYTES_KEPT = 512 * 1024;

/** Reads one document from its first byte to its last. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  #offset = 0;

  /** `what` starts the error texts, for example "Certificate". */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  /** The index of the next byte to be read. */
  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(field: string): number {
    return this.#view.getUint8(this.#advance(1, field));
  }

  u16(field: string): number {
    return this.#view.getUint16(this.#advance(2, field));
  }

  u32(field: string): number {
    return this.#view.getUint32(this.#advance(4, field));
  }

  u64(field: string): bigint {
    return this.#view.getBigUint64(this.#advance(8, field));
  }

  /** A u64 which must be exact as a number (times, counters): at most 2^53 - 1. */
  u64Number(field: string): number {
    const start = this.#offset;
    const value = this.u64(field);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw this.#errorAt(start, field, `number ${value} is too large`);
    }
    return Number(value);
  }

  /** A view of exactly `length` bytes. */
  bytes(length: number, field: string): Uint8Array {
    const start = this.#advance(length, field);
    return this.#bytes.subarray(start, start + length);
  }

  /** The bytes between two offsets that were read already, such as all that a signature covers. */
  between(start: number, end: number): Uint8Array {
    return this.#bytes.subarray(start, end);
  }

  /** All that is left; may be empty. */
  rest(): Uint8Array {
    return this.bytes(this.remaining, "rest");
  }

  /** u16 length + bytes. */
  lp(field: string): Uint8Array {
    return this.bytes(this.u16(field), field);
  }

  /** u16 length + UTF-8, which must be well formed; a byte order mark is kept. */
  lpText(field: string): string {
    const start = this.#offset;
    const bytes = this.lp(field);
    const ascii = bytes.length <= SHORT_TEXT_BYTES ? asciiText(bytes) : undefined;
    if (ascii !== undefined) return ascii;
    try {
      return decoder.decode(bytes);
    } catch {
      throw this.#errorAt(start, field, "text is not UTF-8");
    }
  }

  /** u8 count + items. */
  list<T>(field: string, item: (reader: this, index: number) => T): T[] {
    return this.#items(this.u8(field), item);
  }

  /** u16 count + items. */
  list16<T>(field: string, item: (reader: this, index: number) => T): T[] {
    return this.#items(this.u16(field), item);
  }

  /** The next bytes must be these. */
  expect(wanted: Uint8Array, field: string): void {
    const start = this.#offset;
    const found = this.bytes(wanted.length, field);
    if (!equalBytes(found, wanted)) throw this.#errorAt(start, field, "other bytes than expected");
  }

  /** Refuses trailing bytes. */
  end(): void {
    if (this.remaining > 0) {
      throw this.#errorAt(this.#offset, "end", `${this.remaining} bytes too many`);
    }
  }

  /** An error about the field just read, for checks that the caller makes on its value. */
  error(field: string, why: string): ProtocolError {
    return this.#errorAt(this.#offset, field, why);
  }

  // Items are added as they are read: a count that lies costs no memory before the bytes run out,
  // as long as each item reads at least one byte.
  #items<T>(count: number, item: (reader: this, index: number) => T): T[] {
    const items: T[] = [];
    for (let index = 0; index < count; index++) items.push(item(this, index));
    return items;
  }

  #advance(length: number, field: string): number {
    const start = this.#offset;
    if (length > this.remaining) {
      throw this.#errorAt(start, field, `${length} bytes wanted, ${this.remaining} left`);
    }
    this.#offset = start + length;
    return start;
  }

  #errorAt(offset: number, field: string, why: string): ProtocolError {
    return new ProtocolError(`${this.#what} is malformed at byte ${offset} (${field}): ${why}`);
  }
}

/** Writes one document. Values that do not fit their field are a ProtocolError too. */
export class ByteWriter {
  readonly #what: string;
  #buffer: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  /** `what` is used in error texts, for example "Certificate". `capacity` is a guess in bytes. */
  constructor(what: string, capacity = 256) {
    this.#what = what;
    this.#buffer = new Uint8Array(capacity);
    this.#view = new DataView(this.#buffer.buffer);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number, field: string): this {
    this.#check(value, 0xff, field);
    const start = this.#grow(1);
    this.#view.setUint8(start, value);
    return this;
  }

  u16(value: number, field: string): this {
    this.#check(value, 0xffff, field);
    const start = this.#grow(2);
    this.#view.setUint16(start, value);
    return this;
  }

  u32(value: number, field: string): this {
    this.#check(value, 0xffff_ffff, field);
    const start = this.#grow(4);
    this.#view.setUint32(start, value);
    return this;
  }

  u64(value: bigint | number, field: string): this {
    if (typeof value === "number") this.#check(value, Number.MAX_SAFE_INTEGER, field);
    else if (value < 0n || value > 0xffff_ffff_ffff_ffffn) throw this.#unfit(field, value);
    const start = this.#grow(8);
    this.#view.setBigUint64(start, BigInt(value));
    return this;
  }

  /** As they are, without a length. */
  bytes(value: Uint8Array): this {
    const start = this.#grow(value.length);
    this.#buffer.set(value, start);
    return this;
  }

  /** As they are, and of exactly this length. */
  fixed(value: Uint8Array, length: number, field: string): this {
    if (value.length !== length) {
      throw new ProtocolError(
        `Cannot encode ${this.#what}: ${field} has ${value.length} bytes instead of ${length}`,
      );
    }
    return this.bytes(value);
  }

  /** u16 length + bytes, or + UTF-8. */
  lp(value: Uint8Array | string, field: string): this {
    const bytes = typeof value === "string" ? encoder.encode(value) : value;
    return this.u16(bytes.length, `length of ${field}`).bytes(bytes);
  }

  /** u8 count + items. */
  list<T>(items: readonly T[], field: string, write: (writer: this, item: T) => void): this {
    this.u8(items.length, `count of ${field}`);
    for (const item of items) write(this, item);
    return this;
  }

  /** u16 count + items. */
  list16<T>(items: readonly T[], field: string, write: (writer: this, item: T) => void): this {
    this.u16(items.length, `count of ${field}`);
    for (const item of items) write(this, item);
    return this;
  }

  /** A copy of what was written so far; the writer may go on. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(0, this.#length);
  }

  #check(value: number, max: number, field: string): void {
    if (!Number.isInteger(value) || value < 0 || value > max) throw this.#unfit(field, value);
  }

  #unfit(field: string, value: number | bigint): ProtocolError {
    return new ProtocolError(`Cannot encode ${this.#what}: ${field} ${value} does not fit`);
  }

  // Replaces #view: callers must have its result before they read the field.
  #grow(by: number): number {
    const start = this.#length;
    const wanted = start + by;
    if (wanted > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(wanted, this.#buffer.length * 2));
      larger.set(this.#buffer.subarray(0, start));
      this.#buffer = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#length = wanted;
    return start;
  }
}

/** Byte-exact equality. Takes a time that depends on the content: not for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/** The opposite of {@link toHex}; also takes capitals. ProtocolError for anything else. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  if (text.length % 2 !== 0) throw new ProtocolError("Hexadecimal text has an odd length");
  try {
    // Tables of nodes are made of this: a loop in here was a tenth of the boot of a large mesh.
    return Uint8Array.fromHex(text);
  } catch (cause) {
    const at = text.search(/[^0-9a-fA-F]/);
    throw new ProtocolError(`Text is not hexadecimal at character ${at - at % 2}`, { cause });
  }
}

/** Joins bytes in memory that is used again: for what is looked at once, over and over. */
export class Scratch {
  #buffer = new Uint8Array(0);

  /** Valid until the next call. */
  join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    if (length > SCRATCH_BYTES_KEPT) return concatBytes(...parts);
    if (this.#buffer.length < length) this.#buffer = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      this.#buffer.set(part, at);
      at += part.length;
    }
    return this.#buffer.subarray(0, length);
  }
}

/** One array out of several. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length;
  const all = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** Order of hashes and ids: negative, zero or positive like a - b, first byte first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let index = 0; index < shorter; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Undefined when there is anything else in it. */
function asciiText(bytes: Uint8Array): string | undefined {
  let text = "";
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte > 0x7f) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}
