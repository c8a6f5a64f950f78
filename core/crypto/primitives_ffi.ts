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
import { type FfiHandle, SYMBOLS } from "./primitives_ffi_library.ts";

const LIBRARY = "libcrypto.so.3";

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
