/**
 * What every file over libcrypto needs: the two ways in which C reports that it did not work, and the
 * type that FFI wants for bytes.
 */

import { MinimeError } from "../errors.ts";

/** The pointer, or the error that libcrypto had no memory or does not know the algorithm. */
export function made(pointer: Deno.PointerValue): Deno.PointerObject {
  if (pointer === null) throw new MinimeError("libcrypto could not make an object");
  return pointer;
}

/** Throws unless C said 1, its word for success. */
export function demand(result: number): void {
  if (result !== 1) throw new MinimeError(`libcrypto failed where it must not (${result})`);
}

/** Bytes for a call that neither keeps nor shares them. */
export function asBuffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
