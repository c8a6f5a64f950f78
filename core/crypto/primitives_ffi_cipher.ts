/**
 * ChaCha20-Poly1305 by libcrypto's EVP interface. A context is made once for each direction that is
 * used, with the key's schedule inside, and gets only a new nonce for each frame. OpenSSL decrypts
 * before it knows the tag, so a failed open wipes `out`.
 */

import { MinimeError } from "../errors.ts";
import { TAG_BYTES } from "../limits.ts";
import type { Cipher } from "./engines.ts";
import {
  asBuffer,
  demand,
  type FfiHandle,
  type Libcrypto,
  made,
} from "./primitives_ffi_library.ts";

/** From <openssl/evp.h>; part of the library's ABI. */
const CTRL_GET_TAG = 0x10;
const CTRL_SET_TAG = 0x11;
/** EVP_CipherInit_ex: seal, open, or as before. */
const SEAL = 1;
const OPEN = 0;
const SAME = -1;

export class FfiCipher implements Cipher {
  readonly #handle: FfiHandle;
  readonly #c: Libcrypto<"aead">;
  readonly #key: Uint8Array;
  readonly #length = new Int32Array(1);
  readonly #tag = new Uint8Array(TAG_BYTES);
  #sealing: Deno.PointerValue = null;
  #opening: Deno.PointerValue = null;
  #disposed = false;

  constructor(handle: FfiHandle, key: Uint8Array) {
    this.#handle = handle;
    this.#c = handle.functions("aead");
    this.#key = key;
    handle.owners.add(this);
  }

  seal(nonce: Uint8Array, ad: Uint8Array, plaintext: Uint8Array, out: Uint8Array): void {
    const context = this.#sealing ??= this.#context(SEAL);
    this.#run(context, nonce, ad, plaintext, plaintext.length, out);
    demand(this.#c.EVP_CipherFinal_ex(context, this.#tag, this.#length));
    demand(this.#c.EVP_CIPHER_CTX_ctrl(context, CTRL_GET_TAG, TAG_BYTES, this.#tag));
    out.set(this.#tag, plaintext.length);
  }

  open(nonce: Uint8Array, ad: Uint8Array, ciphertext: Uint8Array, out: Uint8Array): boolean {
    const context = this.#opening ??= this.#context(OPEN);
    const length = ciphertext.length - TAG_BYTES;
    // Copied first: in place, the plaintext must not be able to reach it.
    for (let i = 0; i < TAG_BYTES; i++) this.#tag[i] = ciphertext[length + i]!;
    this.#run(context, nonce, ad, ciphertext, length, out);
    demand(this.#c.EVP_CIPHER_CTX_ctrl(context, CTRL_SET_TAG, TAG_BYTES, this.#tag));
    if (this.#c.EVP_CipherFinal_ex(context, this.#tag, this.#length) === 1) return true;
    this.#c.ERR_clear_error();
    out.fill(0, 0, length);
    return false;
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#handle.owners.delete(this);
    // Freeing a context also wipes the key in it.
    if (this.#sealing) this.#c.EVP_CIPHER_CTX_free(this.#sealing);
    if (this.#opening) this.#c.EVP_CIPHER_CTX_free(this.#opening);
    this.#sealing = this.#opening = null;
  }

  #context(direction: typeof SEAL | typeof OPEN): Deno.PointerObject {
    if (this.#disposed) {
      throw new MinimeError("Cipher cannot be used: it went with its engine");
    }
    const context = made(this.#c.EVP_CIPHER_CTX_new());
    const cipher = this.#c.EVP_chacha20_poly1305();
    if (
      this.#c.EVP_CipherInit_ex(context, cipher, null, asBuffer(this.#key), null, direction) === 1
    ) {
      return context;
    }
    this.#c.EVP_CIPHER_CTX_free(context);
    throw new MinimeError("libcrypto has no ChaCha20-Poly1305");
  }

  #run(
    context: Deno.PointerObject,
    nonce: Uint8Array,
    ad: Uint8Array,
    input: Uint8Array,
    length: number,
    out: Uint8Array,
  ): void {
    demand(this.#c.EVP_CipherInit_ex(context, null, null, null, asBuffer(nonce), SAME));
    if (ad.length > 0) {
      demand(
        this.#c.EVP_CipherUpdate(context, null, this.#length, asBuffer(ad), ad.length),
      );
    }
    if (length > 0) {
      demand(
        this.#c.EVP_CipherUpdate(context, asBuffer(out), this.#length, asBuffer(input), length),
      );
    }
  }
}
