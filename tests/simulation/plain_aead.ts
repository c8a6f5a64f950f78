/**
 * A stand-in for ChaCha20-Poly1305 where thousands of conduits run in one process: it hides nothing
 * and costs a copy. Its tag depends on the key, the counter and the lengths, so that two ends with
 * different keys, or frames in another order, fail as they do in earnest. Small meshes and all tests
 * of cryptography use the real one.
 */

import type { Aead } from "../../core/crypto/primitives.ts";
import { TAG_BYTES } from "../../core/limits.ts";
import { AuthenticationError, MinimeError } from "../../core/mod.ts";

export class PlainAead implements Aead {
  #key: number;
  #disposed = false;

  constructor(key: Uint8Array) {
    this.#key = key.reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193), 0x811c9dc5);
  }

  seal(nonce: number, ad: Uint8Array, plaintext: Uint8Array, out: Uint8Array): number {
    const { length } = plaintext;
    if (out.length < length + TAG_BYTES) throw new RangeError("out is too small");
    const tag = this.#tag(nonce, ad, length);
    if (out.buffer !== plaintext.buffer || out.byteOffset !== plaintext.byteOffset) {
      out.set(plaintext);
    }
    for (let i = 0; i < TAG_BYTES; i++) out[length + i] = tag >>> 8 * (i % 4);
    return length + TAG_BYTES;
  }

  open(nonce: number, ad: Uint8Array, ciphertext: Uint8Array, out: Uint8Array): number {
    const length = ciphertext.length - TAG_BYTES;
    const tag = this.#tag(nonce, ad, length);
    for (let i = 0; i < TAG_BYTES; i++) {
      if (length >= 0 && ciphertext[length + i] === (tag >>> 8 * (i % 4) & 255)) continue;
      throw new AuthenticationError(
        "tag",
        `Sealed bytes were changed (${ciphertext.length} bytes)`,
      );
    }
    if (out.buffer !== ciphertext.buffer || out.byteOffset !== ciphertext.byteOffset) {
      out.set(ciphertext.subarray(0, length));
    }
    return length;
  }

  rekey(): void {
    this.#key = Math.imul(this.#key ^ this.#key >>> 15, 0x2c1b3c6d);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
  }

  #tag(nonce: number, ad: Uint8Array, length: number): number {
    if (this.#disposed) throw new MinimeError("Key cannot be used: it is disposed");
    return Math.imul(this.#key ^ nonce, 0x85ebca6b) ^ Math.imul(ad.length, 0x9e3779b9) ^ length;
  }
}
