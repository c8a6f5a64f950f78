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
import { agreementOf, signaturesOf } from "./primitives_ffi_curves.ts";
import { hashesOf } from "./primitives_ffi_hashes.ts";
import { type FfiHandle, type Group, type Libcrypto, SYMBOLS } from "./primitives_ffi_library.ts";

const LIBRARY = "libcrypto.so.3";

/** Throws what the runtime says when the library is missing; a function that is missing throws when used. */
export function openFfi(): Engine {
  const libraries = new Map<Group, Deno.DynamicLibrary<Deno.ForeignLibraryInterface>>();
  const open = (group: Group) => {
    const library = Deno.dlopen(LIBRARY, SYMBOLS[group] as Deno.ForeignLibraryInterface);
    libraries.set(group, library);
    return library;
  };
  open("digests");
  let isOpen = true;
  const handle: FfiHandle = {
    functions<G extends Group>(group: G) {
      if (!isOpen) throw new MinimeError("Cryptography cannot be used: its engine is disposed");
      return (libraries.get(group) ?? open(group)).symbols as Libcrypto<G>;
    },
    owners: new Set(),
  };
  return {
    source: "ffi",
    agreement: agreementOf(handle),
    signatures: signaturesOf(handle),
    hashes: hashesOf(handle),
    aead: { createCipher: (key) => new FfiCipher(handle, key) },
    [Symbol.dispose]() {
      if (!isOpen) return;
      isOpen = false;
      for (const owner of handle.owners) owner[Symbol.dispose]();
      for (const library of libraries.values()) library.close();
    },
  };
}
