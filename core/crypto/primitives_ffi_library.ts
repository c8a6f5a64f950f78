/**
 * The functions of libcrypto.so.3 as FFI sees them, and what every file over them needs: the handle
 * through which they are reached, the two ways in which C reports that it did not work, and the type
 * that FFI wants for bytes.
 */

import { MinimeError } from "../errors.ts";

/**
 * Those that we call, with their types in C, in the groups in which they are needed: the runtime
 * compiles a way to each one when it is opened, a quarter of a millisecond that not every command
 * should pay for every function.
 */
export const SYMBOLS = {
  digests: {
    EVP_MD_CTX_new: { parameters: [], result: "pointer" },
    EVP_MD_CTX_free: { parameters: ["pointer"], result: "void" },
    EVP_sha256: { parameters: [], result: "pointer" },
    EVP_DigestInit_ex: { parameters: ["pointer", "pointer", "pointer"], result: "i32" },
    EVP_DigestUpdate: { parameters: ["pointer", "buffer", "usize"], result: "i32" },
    EVP_DigestFinal_ex: { parameters: ["pointer", "buffer", "pointer"], result: "i32" },
    HMAC: {
      parameters: ["pointer", "buffer", "i32", "buffer", "usize", "buffer", "pointer"],
      result: "pointer",
    },
  },
  keys: {
    ERR_clear_error: { parameters: [], result: "void" },
    EVP_PKEY_new_raw_private_key: {
      parameters: ["i32", "pointer", "buffer", "usize"],
      result: "pointer",
    },
    EVP_PKEY_new_raw_public_key: {
      parameters: ["i32", "pointer", "buffer", "usize"],
      result: "pointer",
    },
    EVP_PKEY_get_raw_public_key: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
    EVP_PKEY_free: { parameters: ["pointer"], result: "void" },
  },
  signatures: {
    EVP_DigestSignInit: {
      parameters: ["pointer", "pointer", "pointer", "pointer", "pointer"],
      result: "i32",
    },
    EVP_DigestSign: {
      parameters: ["pointer", "buffer", "buffer", "buffer", "usize"],
      result: "i32",
    },
    EVP_DigestVerifyInit: {
      parameters: ["pointer", "pointer", "pointer", "pointer", "pointer"],
      result: "i32",
    },
    EVP_DigestVerify: {
      parameters: ["pointer", "buffer", "usize", "buffer", "usize"],
      result: "i32",
    },
  },
  agreement: {
    EVP_PKEY_CTX_new: { parameters: ["pointer", "pointer"], result: "pointer" },
    EVP_PKEY_CTX_free: { parameters: ["pointer"], result: "void" },
    EVP_PKEY_derive_init: { parameters: ["pointer"], result: "i32" },
    EVP_PKEY_derive_set_peer: { parameters: ["pointer", "pointer"], result: "i32" },
    EVP_PKEY_derive: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  },
  aead: {
    EVP_chacha20_poly1305: { parameters: [], result: "pointer" },
    EVP_CIPHER_CTX_new: { parameters: [], result: "pointer" },
    EVP_CIPHER_CTX_free: { parameters: ["pointer"], result: "void" },
    EVP_CIPHER_CTX_ctrl: { parameters: ["pointer", "i32", "i32", "buffer"], result: "i32" },
    EVP_CipherInit_ex: {
      parameters: ["pointer", "pointer", "pointer", "buffer", "buffer", "i32"],
      result: "i32",
    },
    EVP_CipherUpdate: {
      parameters: ["pointer", "buffer", "buffer", "buffer", "i32"],
      result: "i32",
    },
    EVP_CipherFinal_ex: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
    ERR_clear_error: { parameters: [], result: "void" },
  },
} as const;

export type Group = keyof typeof SYMBOLS;

/** A group's functions; calling one after the library was closed would be the end of the process. */
export type Libcrypto<G extends Group> = Deno.DynamicLibrary<typeof SYMBOLS[G]>["symbols"];

/** An open library. */
export interface FfiHandle {
  /** Throws once the engine is disposed, and where the library lacks one of them. */
  functions<G extends Group>(group: G): Libcrypto<G>;
  /** What owns native memory; disposed with the engine. */
  readonly owners: Set<Disposable>;
}

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
