/**
 * What an implementation of the primitives provides. An engine does the mathematics; lengths, small
 * order and everything else that must be equal for all of them is checked once, by checked_engine.ts
 * and keyed_aead.ts. Engines see whole nonces, so that published vectors run on them.
 */

import type { PrimitivesSource, Sha256 } from "./primitives.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export interface Engine extends Disposable {
  readonly source: PrimitivesSource;
  readonly agreement?: AgreementOperations;
  readonly signatures?: SignatureOperations;
  readonly hashes?: HashOperations;
  readonly aead?: AeadOperations;
}

/** X25519. All keys and secrets have 32 bytes. */
export interface AgreementOperations {
  dhPublicKey(secret: Uint8Array): Bytes;
  /** Undefined, or all zeros, when `publicKey` has a small order. */
  dh(secret: Uint8Array, publicKey: Uint8Array): Bytes | undefined;
}

/** Ed25519. All keys and seeds have 32 bytes, signatures 64. */
export interface SignatureOperations {
  signPublicKey(seed: Uint8Array): Bytes;
  sign(seed: Uint8Array, message: Uint8Array): Bytes;
  /** `publicKey` is canonical and of no small order. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

export interface HashOperations {
  sha256(...parts: readonly Uint8Array[]): Bytes;
  startSha256(): Sha256;
  hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes;
}

export interface AeadOperations {
  /** May keep the reference to `key`, which its owner wipes after disposing the cipher. */
  createCipher(key: Uint8Array): Cipher;
}

/** `nonce` has 12 bytes, `out` has room, `ciphertext` holds a tag. */
export interface Cipher extends Disposable {
  seal(nonce: Uint8Array, ad: Uint8Array, plaintext: Uint8Array, out: Uint8Array): void;
  /** False when the tag does not fit; `out` then holds no plaintext. */
  open(nonce: Uint8Array, ad: Uint8Array, ciphertext: Uint8Array, out: Uint8Array): boolean;
}
