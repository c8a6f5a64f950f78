/**
 * Stand-ins for all of cryptography where hundreds of daemons run in one process: they prove and hide
 * nothing and cost next to nothing. They fail where the real ones fail: other keys do not agree, and a
 * signature fits one key and one message. Small meshes and all tests of cryptography use the real ones.
 */

import {
  checkedAgreement,
  checkedHashes,
  checkedSignatures,
} from "../../core/crypto/checked_engine.ts";
import type {
  AgreementOperations,
  HashOperations,
  SignatureOperations,
} from "../../core/crypto/engines.ts";
import { equalBytes, type Primitives } from "../../core/mod.ts";
import { concatBytes } from "../../core/wire/bytes.ts";
import { PlainAead } from "./plain_aead.ts";
import { simulationPrimitives } from "./remembering_primitives.ts";

/** Of one hash. */
const WORDS = 8;

const text = new TextEncoder();
const DH_KEY = text.encode("key of X25519");
const SHARED = text.encode("shared secret");
const SIGN_KEY = text.encode("key of Ed25519");
const SIGNATURE = text.encode("signature");

const hashes: HashOperations = {
  sha256: (...parts) => hash(parts.length === 1 ? parts[0]! : concatBytes(...parts)),
  startSha256() {
    const parts: Uint8Array[] = [];
    return {
      update: (bytes) => void parts.push(bytes.slice()),
      digest: () => hash(concatBytes(...parts)),
    };
  },
  // Whoever asks for the same cuts it alike.
  hmac: (key, ...parts) => hash(hash(key), ...parts),
};

const agreement: AgreementOperations = {
  dhPublicKey: (secret) => hashes.hmac(DH_KEY, secret),
  dh(secret, publicKey) {
    const own = agreement.dhPublicKey(secret);
    const ends = own.toHex() < publicKey.toHex() ? [own, publicKey] : [publicKey, own];
    return hashes.hmac(SHARED, ...ends);
  },
};

const signatures: SignatureOperations = {
  signPublicKey: (seed) => hashes.hmac(SIGN_KEY, seed),
  sign: (seed, message) => signatureOf(signatures.signPublicKey(seed), message),
  verify: (publicKey, message, signature) => equalBytes(signatureOf(publicKey, message), signature),
};

/** For meshes so large that cryptography would be most of their work. */
export const plainPrimitives: Primitives = {
  ...simulationPrimitives,
  ...checkedAgreement(agreement),
  ...checkedSignatures(signatures),
  ...checkedHashes(hashes),
  createAead: (key) => new PlainAead(key),
};

/** Anybody could make it. */
function signatureOf(publicKey: Uint8Array, message: Uint8Array): Uint8Array<ArrayBuffer> {
  const half = hashes.hmac(SIGNATURE, publicKey, message);
  return concatBytes(half, hash(half));
}

/** Two running hashes of 32 bits, spread over 32 bytes: nobody here looks for collisions. */
function hash(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let low = 0x811c9dc5;
  let high = 0x2b7e1516;
  for (const bytes of parts) {
    low ^= bytes.length;
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    for (; at + 4 <= bytes.length; at += 4) {
      low = Math.imul(low ^ words.getInt32(at, true), 0x01000193);
      low ^= low >>> 15;
      high = Math.imul(high ^ words.getInt32(at, true), 0x5bd1e995) + low | 0;
    }
    for (; at < bytes.length; at++) {
      low = Math.imul(low ^ bytes[at]!, 0x01000193);
      low ^= low >>> 15;
      high = Math.imul(high ^ bytes[at]!, 0x5bd1e995) + low | 0;
    }
  }
  const out = new Uint8Array(4 * WORDS);
  const view = new DataView(out.buffer);
  for (let i = 0; i < WORDS; i++) {
    low = mixed(low + 0x9e3779b9 + i | 0);
    high = mixed(high ^ low);
    view.setUint32(4 * i, high);
  }
  return out;
}

/** Each bit of the input changes about half of those of the output (MurmurHash3). */
function mixed(word: number): number {
  word = Math.imul(word ^ word >>> 16, 0x85ebca6b);
  word = Math.imul(word ^ word >>> 13, 0xc2b2ae35);
  return word ^ word >>> 16;
}
