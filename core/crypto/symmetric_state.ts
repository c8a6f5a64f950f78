/**
 * Noise's SymmetricState (specification, section 5.2): the chaining key, the running hash of
 * everything said, and the key that the handshake has reached so far. Used by HandshakeState only.
 */

import { TAG_BYTES } from "../limits.ts";
import { CipherState } from "./cipher_state.ts";
import { KEY_BYTES, type Primitives } from "./primitives.ts";

export class SymmetricState {
  readonly #primitives: Primitives;
  #chainingKey: Uint8Array<ArrayBuffer>;
  #hash: Uint8Array<ArrayBuffer>;
  #cipher: CipherState | undefined;
  /** The cipher's, for copies. */
  readonly #key = new Uint8Array(KEY_BYTES);

  /** At the beginning of the protocol of that name, or where another state is. */
  constructor(primitives: Primitives, from: string | SymmetricState) {
    this.#primitives = primitives;
    if (from instanceof SymmetricState) {
      this.#chainingKey = new Uint8Array(from.#chainingKey);
      this.#hash = new Uint8Array(from.#hash);
      if (from.#cipher !== undefined) {
        this.#setKey(from.#key);
        this.#cipher?.setNonce(from.#cipher.nonce);
      }
      return;
    }
    const name = new TextEncoder().encode(from);
    if (name.length <= KEY_BYTES) {
      this.#hash = new Uint8Array(KEY_BYTES);
      this.#hash.set(name);
    } else this.#hash = primitives.sha256(name);
    this.#chainingKey = new Uint8Array(this.#hash);
  }

  get hasKey(): boolean {
    return this.#cipher !== undefined;
  }

  /** A copy. */
  get hash(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#hash);
  }

  mixHash(data: Uint8Array): void {
    this.#hash = this.#primitives.sha256(this.#hash, data);
  }

  mixKey(input: Uint8Array): void {
    const output = this.#derive(input, 2);
    this.#chainingKey = output.slice(0, KEY_BYTES);
    this.#setKey(output.subarray(KEY_BYTES));
    output.fill(0);
  }

  mixKeyAndHash(input: Uint8Array): void {
    const output = this.#derive(input, 3);
    this.#chainingKey = output.slice(0, KEY_BYTES);
    this.mixHash(output.subarray(KEY_BYTES, 2 * KEY_BYTES));
    this.#setKey(output.subarray(2 * KEY_BYTES));
    output.fill(0);
  }

  /** Sealed under the current key, in clear while there is none; the result is hashed. */
  sealAndHash(plaintext: Uint8Array): Uint8Array<ArrayBuffer> {
    let out: Uint8Array<ArrayBuffer>;
    if (this.#cipher) {
      out = new Uint8Array(plaintext.length + TAG_BYTES);
      this.#cipher.seal(this.#hash, plaintext, out);
    } else out = new Uint8Array(plaintext);
    this.mixHash(out);
    return out;
  }

  openAndHash(ciphertext: Uint8Array): Uint8Array<ArrayBuffer> {
    let out: Uint8Array<ArrayBuffer>;
    if (this.#cipher) {
      out = new Uint8Array(Math.max(0, ciphertext.length - TAG_BYTES));
      this.#cipher.open(this.#hash, ciphertext, out);
    } else out = new Uint8Array(ciphertext);
    this.mixHash(ciphertext);
    return out;
  }

  /** The keys initiator to responder and back, the caller's to wipe; nothing is left here. */
  split(): [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>] {
    const output = this.#derive(new Uint8Array(0), 2);
    const keys = [output.slice(0, KEY_BYTES), output.slice(KEY_BYTES)] as const;
    output.fill(0);
    this.wipe();
    return [...keys];
  }

  wipe(): void {
    this.#cipher?.[Symbol.dispose]();
    this.#key.fill(0);
    this.#chainingKey.fill(0);
    this.#hash.fill(0);
  }

  #setKey(key: Uint8Array): void {
    this.#cipher?.[Symbol.dispose]();
    this.#key.set(key);
    this.#cipher = new CipherState(this.#primitives.createAead(key));
  }

  #derive(input: Uint8Array, outputs: 2 | 3): Uint8Array<ArrayBuffer> {
    const output = this.#primitives.hkdf(this.#chainingKey, input, { bytes: outputs * KEY_BYTES });
    this.#chainingKey.fill(0);
    return output;
  }
}
