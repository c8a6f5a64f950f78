/** HKDF (RFC 5869) over any HMAC-SHA-256. */

import { KEY_BYTES, type Primitives } from "./primitives.ts";

/** RFC 5869 section 2.3: at most 255 blocks. */
const HKDF_BYTES_MAX = 255 * KEY_BYTES;

export function hkdf(
  hmac: Primitives["hmac"],
  salt: Uint8Array,
  input: Uint8Array,
  options: { readonly bytes: number; readonly info?: Uint8Array },
): Uint8Array<ArrayBuffer> {
  const { bytes, info = new Uint8Array(0) } = options;
  if (!Number.isInteger(bytes) || bytes < 0 || bytes > HKDF_BYTES_MAX) {
    throw new RangeError(`bytes must be a whole number from 0 to ${HKDF_BYTES_MAX}, not ${bytes}`);
  }
  const key = hmac(salt, input);
  const output = new Uint8Array(bytes);
  let block: Uint8Array = new Uint8Array(0);
  for (let at = 0, counter = 1; at < bytes; at += KEY_BYTES, counter++) {
    block = hmac(key, block, info, Uint8Array.of(counter));
    output.set(block.subarray(0, bytes - at), at);
  }
  return output;
}
