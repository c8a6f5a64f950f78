/**
 * The reference: audited pure JavaScript (noble). Used where nothing native exists, and in tests as
 * what all others must equal. Loaded only when needed: its curves take longer to start than
 * libcrypto takes to open.
 */

import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { TAG_BYTES } from "../limits.ts";
import type {
  AgreementOperations,
  Cipher,
  Engine,
  HashOperations,
  SignatureOperations,
} from "./engines.ts";

const AGREEMENT: AgreementOperations = {
  dhPublicKey: (secret) => x25519.getPublicKey(secret),
  dh(secret, publicKey) {
    try {
      return x25519.getSharedSecret(secret, publicKey);
    } catch {
      return undefined; // With 32-byte inputs its only reason is an all-zero result.
    }
  },
};

const SIGNATURES: SignatureOperations = {
  signPublicKey: (seed) => ed25519.getPublicKey(seed),
  sign: (seed, message) => ed25519.sign(message, seed),
  verify: (publicKey, message, signature) =>
    ed25519.verify(signature, message, publicKey, { zip215: false }) &&
    fitsWithoutCofactor(publicKey, message, signature),
};

const HASHES: HashOperations = {
  sha256(...parts) {
    const hash = sha256.create();
    for (const part of parts) hash.update(part);
    return hash.digest();
  },
  startSha256() {
    const hash = sha256.create();
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
  },
  hmac(key, ...parts) {
    const mac = hmac.create(sha256, key);
    for (const part of parts) mac.update(part);
    return mac.digest();
  },
};

export const NOBLE: Engine = {
  source: "noble",
  agreement: AGREEMENT,
  signatures: SIGNATURES,
  hashes: HASHES,
  aead: { createCipher },
  [Symbol.dispose]() {},
};

function createCipher(key: Uint8Array): Cipher {
  return {
    seal(nonce, ad, plaintext, out) {
      const exact = out.subarray(0, plaintext.length + TAG_BYTES);
      chacha20poly1305(key, nonce, ad).encrypt(plaintext, exact);
    },
    open(nonce, ad, ciphertext, out) {
      const exact = out.subarray(0, ciphertext.length - TAG_BYTES);
      try {
        chacha20poly1305(key, nonce, ad).decrypt(ciphertext, exact);
        return true;
      } catch (error) {
        if (error instanceof Error && error.message === "invalid tag") return false;
        throw error;
      }
    },
    [Symbol.dispose]() {},
  };
}

/**
 * noble asks for [8][S]B = [8]R + [8][k]A, native verifiers for [S]B = R + [k]A; RFC 8032 section
 * 5.1.7 allows both. A signer can make signatures which tell them apart, and a mesh whose nodes
 * disagree about one signature is worse than a slow fallback: so both must hold.
 */
function fitsWithoutCofactor(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { Point } = ed25519;
  const r = signature.subarray(0, 32);
  const digest = sha512.create().update(r).update(publicKey).update(message).digest();
  const challenge = littleEndian(digest) % Point.Fn.ORDER;
  const left = Point.BASE.multiplyUnsafe(littleEndian(signature.subarray(32)));
  const right = Point.fromBytes(publicKey).multiplyUnsafe(challenge).add(Point.fromBytes(r));
  return left.equals(right);
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${new Uint8Array(bytes).reverse().toHex()}`);
}
