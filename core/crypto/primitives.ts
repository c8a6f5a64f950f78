/**
 * The cryptographic operations that the program needs, and nothing else: X25519, Ed25519, SHA-256,
 * HMAC, HKDF and ChaCha20-Poly1305 (RFC 7748, 8032, 6234, 2104, 5869, 8439). All of them are
 * synchronous, so that the simulator replays exactly, and none of them draws randomness: secrets
 * come in as bytes. Every implementation gives the same answer for every input, also for bad ones.
 *
 * `choosePrimitives` (choose_primitives.ts) makes one from what this host has. Its owner disposes it
 * last, after every {@link Aead} made by it.
 */

/** Bytes of every key, secret, public key, shared secret and SHA-256 hash. */
export const KEY_BYTES = 32;
/** Bytes of an Ed25519 signature. */
export const SIGNATURE_BYTES = 64;

export interface Primitives extends Disposable {
  /** Which implementation does what, for logs and `minime version`. */
  readonly chosen: ChosenPrimitives;

  /** The X25519 public key of 32 secret bytes (clamped as RFC 7748 section 5 says). */
  dhPublicKey(secret: Uint8Array): Uint8Array<ArrayBuffer>;
  /** X25519. Throws AuthenticationError "handshake" when the result is all zeros (small order). */
  dh(secret: Uint8Array, publicKey: Uint8Array): Uint8Array<ArrayBuffer>;

  /** The Ed25519 public key of a 32-byte seed. */
  signPublicKey(seed: Uint8Array): Uint8Array<ArrayBuffer>;
  /** Ed25519 over the message itself (no prehash); 64 bytes. */
  sign(seed: Uint8Array, message: Uint8Array): Uint8Array<ArrayBuffer>;
  /**
   * Strict Ed25519: canonical encodings only, no public key of small order, cofactorless equation.
   * False for anything malformed, wrong lengths included; never throws.
   */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;

  /** SHA-256 of the parts one after the other. */
  sha256(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer>;
  /** SHA-256 of what does not fit in memory at once. */
  startSha256(): Sha256;
  /** HMAC-SHA-256 over the parts one after the other. */
  hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer>;
  /**
   * HKDF-SHA-256, at most 8,160 bytes. Noise's HKDF(ck, input) with two outputs is
   * `hkdf(ck, input, { bytes: 64 })` cut in halves.
   */
  hkdf(
    salt: Uint8Array,
    input: Uint8Array,
    options: { readonly bytes: number; readonly info?: Uint8Array },
  ): Uint8Array<ArrayBuffer>;

  /** A ChaCha20-Poly1305 key ready for use; copies the 32 bytes. */
  createAead(key: Uint8Array): Aead;
}

export interface Sha256 {
  update(bytes: Uint8Array): void;
  /** Once; nothing may be called after it. */
  digest(): Uint8Array<ArrayBuffer>;
}

/**
 * One ChaCha20-Poly1305 key with Noise's nonces: 32 zero bits, then the counter as 64 bits,
 * little-endian. Never waits. `out` may begin exactly where the input begins (in place), or must not
 * overlap with it; it may be longer than needed. Lengths and counters out of range throw RangeError.
 * Dispose wipes the key and frees native memory; it is idempotent and every later use throws.
 */
export interface Aead extends Disposable {
  /** Writes ciphertext and tag to the start of `out`; returns how many bytes (plaintext + 16). */
  seal(nonce: number, ad: Uint8Array, plaintext: Uint8Array, out: Uint8Array): number;
  /**
   * Writes the plaintext to the start of `out`; returns how many bytes. Throws AuthenticationError
   * "tag" when anything was changed; `out` then holds no plaintext (zeros or what was there).
   */
  open(nonce: number, ad: Uint8Array, ciphertext: Uint8Array, out: Uint8Array): number;
  /** Replaces the key by REKEY(k) of the Noise specification, section 4.2. */
  rekey(): void;
}

/** noble: pure JavaScript; native: node:crypto; ffi: the host's libcrypto.so.3. */
export type PrimitivesSource = "noble" | "native" | "ffi";

export interface ChosenPrimitives {
  readonly signatures: PrimitivesSource;
  readonly agreement: PrimitivesSource;
  readonly hashes: PrimitivesSource;
  readonly aead: PrimitivesSource;
  /** Why a faster one is not used, for example that libcrypto.so.3 cannot be opened. */
  readonly notes: readonly string[];
}
