/**
 * The hot path's key: the counter as nonce, the checks of lengths and the change of key, over any
 * engine's ChaCha20-Poly1305. The engine's cipher, which may own native memory, is made at first use.
 */

import { AuthenticationError, MinimeError } from "../errors.ts";
import { TAG_BYTES } from "../limits.ts";
import type { AeadOperations, Cipher } from "./engines.ts";
import { type Aead, KEY_BYTES } from "./primitives.ts";

/** RFC 8439 section 2.8. */
const NONCE_BYTES = 12;
const EMPTY = new Uint8Array(0);

export class KeyedAead implements Aead {
  readonly #engine: AeadOperations;
  readonly #key: Uint8Array<ArrayBuffer>;
  readonly #nonce = new Uint8Array(NONCE_BYTES);
  readonly #nonceView = new DataView(this.#nonce.buffer);
  #cipher: Cipher | undefined;
  #disposed = false;

  constructor(engine: AeadOperations, key: Uint8Array) {
    if (key.length !== KEY_BYTES) {
      throw new RangeError(`Key must have ${KEY_BYTES} bytes, not ${key.length}`);
    }
    this.#engine = engine;
    this.#key = new Uint8Array(key);
  }

  seal(nonce: number, ad: Uint8Array, plaintext: Uint8Array, out: Uint8Array): number {
    const bytes = plaintext.length + TAG_BYTES;
    if (out.length < bytes) throw tooSmall(out.length, bytes);
    this.#setNonce(nonce);
    this.#ready().seal(this.#nonce, ad, plaintext, out);
    return bytes;
  }

  open(nonce: number, ad: Uint8Array, ciphertext: Uint8Array, out: Uint8Array): number {
    const bytes = ciphertext.length - TAG_BYTES;
    const cipher = this.#ready();
    if (bytes >= 0) {
      if (out.length < bytes) throw tooSmall(out.length, bytes);
      this.#setNonce(nonce);
      if (cipher.open(this.#nonce, ad, ciphertext, out)) return bytes;
    }
    throw new AuthenticationError("tag", `Sealed bytes were changed (${ciphertext.length} bytes)`);
  }

  rekey(): void {
    const next = new Uint8Array(KEY_BYTES + TAG_BYTES);
    // The one nonce that no frame may use: 2^64 - 1.
    this.#nonce.fill(0xff).fill(0, 0, 4);
    this.#ready().seal(this.#nonce, EMPTY, new Uint8Array(KEY_BYTES), next);
    this.#dropCipher();
    this.#key.set(next.subarray(0, KEY_BYTES));
    next.fill(0);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#dropCipher();
    this.#key.fill(0);
  }

  #ready(): Cipher {
    if (this.#cipher) return this.#cipher;
    if (this.#disposed) throw new MinimeError("Key cannot be used: it is disposed");
    return this.#cipher = this.#engine.createCipher(this.#key);
  }

  #dropCipher(): void {
    this.#cipher?.[Symbol.dispose]();
    this.#cipher = undefined;
  }

  #setNonce(nonce: number): void {
    if (!Number.isSafeInteger(nonce) || nonce < 0) {
      throw new RangeError(`Nonce must be a whole number from 0 to 2^53 - 1, not ${nonce}`);
    }
    // In halves: a BigInt on every frame costs more than the writes.
    this.#nonceView.setUint32(0, 0, true);
    this.#nonceView.setUint32(4, nonce >>> 0, true);
    this.#nonceView.setUint32(8, Math.floor(nonce / 0x1_0000_0000), true);
  }
}

function tooSmall(has: number, needs: number): RangeError {
  return new RangeError(`out must have ${needs} bytes at least, not ${has}`);
}
