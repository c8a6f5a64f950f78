/**
 * One direction of an established Noise session: a key and a counter that both ends advance in step
 * (Noise specification, section 5.1). Frames must be opened in the order in which they were sealed;
 * a transport that carries the number itself says so with {@link CipherState.setNonce}.
 *
 * A failed open leaves the counter where it was, and the conduit is closed: nothing after a changed
 * frame can be trusted to be in order. `out` may begin where the input begins (see Aead).
 */

import type { Aead } from "./primitives.ts";

/**
 * The largest counter that we use. Noise allows 2^64 - 2; a number is exact up to 2^53, and at a
 * million frames a second this is 285 years.
 */
export const NONCE_MAX = Number.MAX_SAFE_INTEGER;

export class CipherState implements Disposable {
  readonly #aead: Aead;
  #nonce = 0;

  /** Takes over the key: disposing this disposes it. */
  constructor(aead: Aead) {
    this.#aead = aead;
  }

  /** The counter of the next frame. */
  get nonce(): number {
    return this.#nonce;
  }

  /** For transports that lose or reorder; whoever calls it must never seal twice with one counter. */
  setNonce(nonce: number): void {
    if (!Number.isSafeInteger(nonce) || nonce < 0) {
      throw new RangeError(`Nonce must be a whole number from 0 to 2^53 - 1, not ${nonce}`);
    }
    this.#nonce = nonce;
  }

  /** Writes ciphertext and tag to `out`; returns how many bytes. */
  seal(ad: Uint8Array, plaintext: Uint8Array, out: Uint8Array): number {
    this.#refuseExhausted();
    const bytes = this.#aead.seal(this.#nonce, ad, plaintext, out);
    this.#nonce++;
    return bytes;
  }

  /** Writes the plaintext to `out`; returns how many bytes. Throws AuthenticationError "tag". */
  open(ad: Uint8Array, ciphertext: Uint8Array, out: Uint8Array): number {
    this.#refuseExhausted();
    const bytes = this.#aead.open(this.#nonce, ad, ciphertext, out);
    this.#nonce++;
    return bytes;
  }

  /** A new key from the old one; the counter goes on (Noise specification, section 11.3). */
  rekey(): void {
    this.#aead.rekey();
  }

  [Symbol.dispose](): void {
    this.#aead[Symbol.dispose]();
  }

  #refuseExhausted(): void {
    if (this.#nonce >= NONCE_MAX) {
      throw new RangeError("Cipher state has used up its nonces");
    }
  }
}
