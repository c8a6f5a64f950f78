/**
 * Bodies of messages: MessagePack, checked before it is decoded. A decoder allocates what a length
 * field promises, so the shape is walked first: no container may promise more entries than bytes
 * are left, nesting and the number of values are bounded (an empty map is one byte on the wire and
 * sixty in memory), extension types (and so dates) are refused, nothing may follow.
 *
 * MessagePack: https://github.com/msgpack/msgpack/blob/master/spec.md
 */

import { Decoder, Encoder, type ExtensionCodecType } from "@msgpack/msgpack";
import { errorText, ProtocolError } from "../errors.ts";
import {
  BODY_CONTAINERS_MAX,
  BODY_DEPTH_MAX,
  BODY_VALUES_MAX,
  MESSAGE_BYTES_MAX,
} from "../limits.ts";

const ENCODER_BYTES_START = 512;
/** Of a large body's bytes and texts, for what goes around them. */
const SIZE_SLACK = 1.125;
/** How deep bytes and texts are looked for: as deep as what nodes stream has them. */
const SIZE_DEPTH_MAX = 5;
/** Above this the buffer that a coder holds on to is given back: a daemon has many quiet conduits. */
const BYTES_KEPT = 8 * 1024;
/** The smallest value, nil. */
const NIL = new Uint8Array([0xc0]);

/** Refuses while encoding what the other end would refuse, which would cost us the conduit. */
const STRICT: ExtensionCodecType<undefined> = {
  tryToEncode: (value) => {
    if (value instanceof Date || value instanceof Map || value instanceof Set) {
      throw new TypeError("dates, maps and sets are not plain data");
    }
    if (typeof value === "object" && value !== null && Object.hasOwn(value, "__proto__")) {
      throw new TypeError('a key cannot be "__proto__"');
    }
    return null;
  },
  decode: (_bytes, type) => {
    throw new TypeError(`extension type ${type} is not allowed`);
  },
};

/** Encodes and decodes bodies. Not reentrant; each conduit has its own. */
export class Codec {
  #encoder = newEncoder();
  #decoder = newDecoder();

  /** Bytes of their own. Throws ProtocolError for values that MessagePack cannot carry. */
  encode(value: unknown): Uint8Array {
    try {
      const expected = contentBytes(value, 0);
      // A buffer that grows by doubling costs four times as much, and a copy.
      const isLarge = expected > BYTES_KEPT;
      const encoder = isLarge ? newEncoder(Math.ceil(expected * SIZE_SLACK)) : this.#encoder;
      const bytes = encoder.encodeSharedRef(value);
      // Only a body of so many bytes can have too many values.
      if (bytes.length > BODY_CONTAINERS_MAX) checkShape(bytes);
      if (isLarge) return bytes;
      if (bytes.length <= BYTES_KEPT) return bytes.slice();
      this.#encoder = newEncoder();
      return bytes;
    } catch (cause) {
      this.#encoder = newEncoder();
      throw new ProtocolError(`Cannot encode a body: ${errorText(cause)}`, { cause });
    }
  }

  /**
   * Binary values in the result are views of a copy, or of `bytes` themselves when those are
   * `owned`, that is never changed again. Throws ProtocolError.
   */
  decode(bytes: Uint8Array, options: { readonly owned?: boolean } = {}): unknown {
    try {
      return decodeBy(this.#decoder, bytes, options);
    } finally {
      // A decoder holds on to the last bytes it saw, and so to the whole read buffer they lie in.
      if (bytes.buffer.byteLength > BYTES_KEPT) this.#decoder.decode(NIL);
    }
  }
}

function newDecoder(): Decoder<undefined> {
  return new Decoder({
    extensionCodec: STRICT,
    maxStrLength: MESSAGE_BYTES_MAX,
    maxBinLength: MESSAGE_BYTES_MAX,
    maxArrayLength: MESSAGE_BYTES_MAX,
    maxMapLength: MESSAGE_BYTES_MAX,
    maxExtLength: 0,
  });
}

function newEncoder(bytesStart = ENCODER_BYTES_START): Encoder<undefined> {
  return new Encoder({
    extensionCodec: STRICT,
    maxDepth: BODY_DEPTH_MAX,
    ignoreUndefined: true,
    initialBufferSize: bytesStart,
  });
}

/** Of the bytes and texts in it: a lower bound, for what is large. */
function contentBytes(value: unknown, depth: number): number {
  if (value instanceof Uint8Array || typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null || depth === SIZE_DEPTH_MAX) return 0;
  let bytes = 0;
  for (const each of Object.values(value)) bytes += contentBytes(each, depth + 1);
  return bytes;
}

/**
 * Encodes one value into bytes of its own, the same for equal values: keys of maps are sorted.
 * For signatures and for comparing; conduits use {@link Codec}.
 */
export function encodeCanonical(value: unknown): Uint8Array<ArrayBuffer> {
  try {
    const expected = contentBytes(value, 0);
    const isLarge = expected > BYTES_KEPT;
    const encoder = new Encoder({
      extensionCodec: STRICT,
      maxDepth: BODY_DEPTH_MAX,
      ignoreUndefined: true,
      sortKeys: true,
      ...(isLarge ? { initialBufferSize: Math.ceil(expected * SIZE_SLACK) } : {}),
    });
    const bytes = isLarge ? encoder.encodeSharedRef(value) : encoder.encode(value);
    return bytes as Uint8Array<ArrayBuffer>;
  } catch (cause) {
    throw new ProtocolError(`Cannot encode a value: ${errorText(cause)}`, { cause });
  }
}

/** Decodes one value from bytes that hold nothing else; see {@link Codec.decode}. Throws ProtocolError. */
export function decodeValue(
  bytes: Uint8Array,
  options: { readonly owned?: boolean } = {},
): unknown {
  return decodeBy(newDecoder(), bytes, options);
}

function decodeBy(
  decoder: Decoder<undefined>,
  bytes: Uint8Array,
  { owned = false }: { readonly owned?: boolean },
): unknown {
  const hasBinary = checkShape(bytes);
  try {
    return decoder.decode(hasBinary && !owned ? bytes.slice() : bytes);
  } catch (cause) {
    throw new ProtocolError(`Cannot decode a body: ${errorText(cause)}`, { cause });
  }
}

/**
 * Throws ProtocolError unless the bytes are exactly one well-formed value within the limits.
 * Returns whether there are binary values in it.
 */
export function checkShape(bytes: Uint8Array): boolean {
  // Entries still to come at each level of nesting.
  const open: number[] = [];
  let left = 1;
  let at = 0;
  let hasBinary = false;
  let values = 0;
  let containers = 0;
  for (;;) {
    while (left === 0) {
      const outer = open.pop();
      if (outer === undefined) {
        if (at !== bytes.length) {
          throw new ProtocolError(`Body has ${bytes.length - at} bytes after its end`);
        }
        return hasBinary;
      }
      left = outer;
    }
    left--;
    if (++values > BODY_VALUES_MAX) {
      throw new ProtocolError(`Body has more than ${BODY_VALUES_MAX} values`);
    }
    const type = bytes[at++];
    if (type === undefined) throw truncated(bytes.length);
    let entries = -1;
    if (type >= 0xc4 && type <= 0xc6) hasBinary = true;
    if (type <= 0x7f || type >= 0xe0 || type === 0xc0 || type === 0xc2 || type === 0xc3) continue;
    if (type <= 0x8f) entries = (type & 0x0f) * 2;
    else if (type <= 0x9f) entries = type & 0x0f;
    else if (type <= 0xbf) at += type & 0x1f;
    else {
      switch (type) {
        case 0xc4:
        case 0xd9:
          at += 1 + uint(bytes, at, 1);
          break;
        case 0xc5:
        case 0xda:
          at += 2 + uint(bytes, at, 2);
          break;
        case 0xc6:
        case 0xdb:
          at += 4 + uint(bytes, at, 4);
          break;
        case 0xcc:
        case 0xd0:
          at += 1;
          break;
        case 0xcd:
        case 0xd1:
          at += 2;
          break;
        case 0xca:
        case 0xce:
        case 0xd2:
          at += 4;
          break;
        case 0xcb:
        case 0xcf:
        case 0xd3:
          at += 8;
          break;
        case 0xdc:
          entries = uint(bytes, at, 2);
          at += 2;
          break;
        case 0xdd:
          entries = uint(bytes, at, 4);
          at += 4;
          break;
        case 0xde:
          entries = uint(bytes, at, 2) * 2;
          at += 2;
          break;
        case 0xdf:
          entries = uint(bytes, at, 4) * 2;
          at += 4;
          break;
        default:
          throw new ProtocolError(`Body has a type that is not allowed: 0x${type.toString(16)}`);
      }
    }
    if (at > bytes.length) throw truncated(bytes.length);
    if (entries >= 0) {
      if (entries > bytes.length - at) {
        throw new ProtocolError(`Body promises ${entries} entries in ${bytes.length - at} bytes`);
      }
      if (open.length >= BODY_DEPTH_MAX) {
        throw new ProtocolError(`Body is nested deeper than ${BODY_DEPTH_MAX} levels`);
      }
      if (++containers > BODY_CONTAINERS_MAX) {
        throw new ProtocolError(`Body has more than ${BODY_CONTAINERS_MAX} maps and arrays`);
      }
      open.push(left);
      left = entries;
    }
  }
}

function uint(bytes: Uint8Array, at: number, length: number): number {
  if (at + length > bytes.length) throw truncated(bytes.length);
  let value = 0;
  for (let i = 0; i < length; i++) value = value * 256 + (bytes[at + i] as number);
  return value;
}

function truncated(length: number): ProtocolError {
  return new ProtocolError(`Body is cut off after ${length} bytes`);
}
