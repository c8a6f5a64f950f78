/**
 * The host's libcrypto.so.3 (OpenSSL 3) over FFI: by far the fastest at sealing, and opened in a fifth
 * of the time that Deno 2.9 takes to load node:crypto. Absent on some hosts.
 *
 * Native memory is ours to free: what owns some is in {@link FfiHandle.owners}, and the engine
 * disposes those that are left before it closes the library. Sizes go to C as they are given, so
 * the callers of an engine must have checked all lengths.
 */

import { MinimeError } from "../errors.ts";
import type { Engine } from "./engines.ts";
import { FfiCipher } from "./primitives_ffi_cipher.ts";
import { curvesOf } from "./primitives_ffi_curves.ts";
import { hashesOf } from "./primitives_ffi_hashes.ts";

const LIBRARY = "libcrypto.so.3";

const SYMBOLS = {
  ERR_clear_error: { parameters: [], result: "void" },
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
  EVP_PKEY_CTX_new: { parameters: ["pointer", "pointer"], result: "pointer" },
  EVP_PKEY_CTX_free: { parameters: ["pointer"], result: "void" },
  EVP_PKEY_derive_init: { parameters: ["pointer"], result: "i32" },
  EVP_PKEY_derive_set_peer: { parameters: ["pointer", "pointer"], result: "i32" },
  EVP_PKEY_derive: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  EVP_MD_CTX_new: { parameters: [], result: "pointer" },
  EVP_MD_CTX_free: { parameters: ["pointer"], result: "void" },
  EVP_sha256: { parameters: [], result: "pointer" },
  EVP_DigestInit_ex: { parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  EVP_DigestUpdate: { parameters: ["pointer", "buffer", "usize"], result: "i32" },
  EVP_DigestFinal_ex: { parameters: ["pointer", "buffer", "pointer"], result: "i32" },
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
  HMAC: {
    parameters: ["pointer", "buffer", "i32", "buffer", "usize", "buffer", "pointer"],
    result: "pointer",
  },
} as const;

/** The functions; calling one after the library was closed would be the end of the process. */
export type Libcrypto = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

export interface FfiHandle {
  /** Throws once the engine is disposed. */
  functions(): Libcrypto;
  /** What owns native memory; disposed with the engine. */
  readonly owners: Set<Disposable>;
}

/** Throws what the runtime says when the library or one of its functions is missing. */
export function openFfi(): Engine {
  const library = Deno.dlopen(LIBRARY, SYMBOLS);
  let open = true;
  const handle: FfiHandle = {
    functions() {
      if (open) return library.symbols;
      throw new MinimeError("Cryptography cannot be used: its engine is disposed");
    },
    owners: new Set(),
  };
  return {
    source: "ffi",
    curves: curvesOf(handle),
    hashes: hashesOf(handle),
    aead: { createCipher: (key) => new FfiCipher(handle, key) },
    [Symbol.dispose]() {
      if (!open) return;
      open = false;
      for (const owner of handle.owners) owner[Symbol.dispose]();
      library.close();
    },
  };
}
