/** SHA-256 and HMAC by libcrypto. */

import { MinimeError } from "../errors.ts";
import { concatBytes } from "../wire/bytes.ts";
import type { HashOperations } from "./engines.ts";
import { KEY_BYTES, type Sha256 } from "./primitives.ts";
import {
  asBuffer,
  demand,
  type FfiHandle,
  type Libcrypto,
  made,
} from "./primitives_ffi_library.ts";

/** HMAC() takes a null pointer, which is what FFI makes of no bytes, for an error. */
const NOT_NULL = new Uint8Array(1);

export function hashesOf(handle: FfiHandle): HashOperations {
  // Shared by all calls of sha256, which never overlap. Made late, so that opening costs nothing.
  let shared: FfiSha256 | undefined;
  return {
    sha256(...parts) {
      shared ??= new FfiSha256(handle);
      shared.start();
      for (const part of parts) shared.update(part);
      return shared.result();
    },
    startSha256() {
      const hash = new FfiSha256(handle);
      hash.start();
      return hash;
    },
    hmac(key, ...parts) {
      const c = handle.functions("digests");
      const out = new Uint8Array(KEY_BYTES);
      const data = parts.length === 1 ? parts[0]! : concatBytes(...parts);
      made(
        c.HMAC(
          c.EVP_sha256(),
          asBuffer(key.length > 0 ? key : NOT_NULL),
          key.length,
          asBuffer(data.length > 0 ? data : NOT_NULL),
          BigInt(data.length),
          out,
          null,
        ),
      );
      return out;
    },
  };
}

class FfiSha256 implements Sha256, Disposable {
  readonly #handle: FfiHandle;
  readonly #c: Libcrypto<"digests">;
  #context: Deno.PointerValue;

  constructor(handle: FfiHandle) {
    this.#handle = handle;
    this.#c = handle.functions("digests");
    this.#context = made(this.#c.EVP_MD_CTX_new());
    handle.owners.add(this);
  }

  start(): void {
    demand(this.#c.EVP_DigestInit_ex(this.#live(), this.#c.EVP_sha256(), null));
  }

  update(bytes: Uint8Array): void {
    const context = this.#live();
    if (bytes.length === 0) return;
    demand(this.#c.EVP_DigestUpdate(context, asBuffer(bytes), BigInt(bytes.length)));
  }

  result(): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(KEY_BYTES);
    demand(this.#c.EVP_DigestFinal_ex(this.#live(), out, null));
    return out;
  }

  digest(): Uint8Array<ArrayBuffer> {
    const out = this.result();
    this[Symbol.dispose]();
    return out;
  }

  [Symbol.dispose](): void {
    this.#handle.owners.delete(this);
    if (this.#context) this.#c.EVP_MD_CTX_free(this.#context);
    this.#context = null;
  }

  #live(): Deno.PointerObject {
    if (!this.#context) {
      throw new MinimeError("Hash cannot be used: it is finished or its engine is disposed");
    }
    return this.#context;
  }
}
