/**
 * One known answer per primitive, and the three refusals on which everything rests: a modified tag,
 * an all-zero shared secret, the identity as a signer. A few milliseconds at most; run on the
 * operations of every engine before they are used. What fails here is never used.
 */

import { AuthenticationError, MinimeError } from "../errors.ts";
import type {
  AeadPrimitives,
  AgreementPrimitives,
  HashPrimitives,
  SignaturePrimitives,
} from "./checked_engine.ts";
import type { Primitives } from "./primitives.ts";
import { isSmallOrderPoint } from "./small_order.ts";

const EMPTY = new Uint8Array(0);
const IDENTITY = hex("0100000000000000000000000000000000000000000000000000000000000000");

/** All of them. Throws MinimeError that names what failed. */
export function selfTest(primitives: Primitives): void {
  testAgreement(primitives);
  testSignatures(primitives);
  testHashes(primitives);
  testAead(primitives);
}

/** X25519 by known answers, and that zero results are refused. */
export function testAgreement(curves: AgreementPrimitives): void {
  // RFC 7748 section 6.1.
  const secret = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
  const theirs = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  expect(
    "X25519 key",
    curves.dhPublicKey(secret),
    "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
  );
  expect(
    "X25519",
    curves.dh(secret, theirs),
    "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
  );
  refuse("an all-zero shared secret", () => curves.dh(secret, new Uint8Array(32)));
}

/** Ed25519 by known answers, and that forgeries are refused. */
export function testSignatures(curves: SignaturePrimitives): void {
  // RFC 8032 section 7.1, test 3.
  const seed = hex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7");
  const signer = curves.signPublicKey(seed);
  const message = hex("af82");
  const signature = curves.sign(seed, message);
  expect("Ed25519 key", signer, "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
  expect(
    "Ed25519",
    signature,
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac" +
      "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
  );
  demand("Ed25519 refuses a good signature", curves.verify(signer, message, signature));
  demand("Ed25519 accepts a changed message", !curves.verify(signer, EMPTY, signature));

  // R = identity and S = 0 is a signature of the identity under every message.
  const forged = new Uint8Array(64);
  forged.set(IDENTITY);
  demand("Ed25519 accepts the identity as signer", !curves.verify(IDENTITY, message, forged));
  demand("Parser accepts the identity as signer", isSmallOrderPoint(IDENTITY));
}

/** SHA-256, HMAC and HKDF by known answers. */
export function testHashes(hashes: HashPrimitives): void {
  const text = new TextEncoder();
  // FIPS 180-4, one block.
  expect(
    "SHA-256",
    hashes.sha256(text.encode("a"), text.encode("bc")),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
  // RFC 4231 section 4.2.
  const key = new Uint8Array(20).fill(0x0b);
  expect(
    "HMAC-SHA-256",
    hashes.hmac(key, text.encode("Hi There")),
    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
  );
  // RFC 5869 appendix A.1.
  expect(
    "HKDF-SHA-256",
    hashes.hkdf(hex("000102030405060708090a0b0c"), new Uint8Array(22).fill(0x0b), {
      bytes: 42,
      info: hex("f0f1f2f3f4f5f6f7f8f9"),
    }),
    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
  );
}

/** ChaCha20-Poly1305 by a known answer, and that a modified tag is refused. */
export function testAead({ createAead }: AeadPrimitives): void {
  // The key, text and associated data of RFC 8439 section 2.8.2 under Noise's nonce number 1.
  const aead = createAead(hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"));
  try {
    const ad = hex("50515253c0c1c2c3c4c5c6c7");
    const plaintext = new TextEncoder().encode("Ladies and Gentlemen");
    const sealed = new Uint8Array(plaintext.length + 16);
    aead.seal(1, ad, plaintext, sealed);
    expect(
      "ChaCha20-Poly1305",
      sealed,
      "af7010641b0c07870c61fa51ef1af2867c2249b0b6726dd2ac04786a494f2ac7a412ed0a",
    );
    const opened = new Uint8Array(plaintext.length);
    aead.open(1, ad, sealed, opened);
    expect("ChaCha20-Poly1305 open", opened, plaintext.toHex());
    sealed[sealed.length - 1]! ^= 1;
    refuse("a modified tag", () => aead.open(1, ad, sealed, opened));
    // REKEY of the Noise specification, section 4.2, then number 2^53 - 1.
    aead.rekey();
    aead.seal(Number.MAX_SAFE_INTEGER, EMPTY, EMPTY, sealed);
    expect("Rekey", sealed.subarray(0, 16), "5d86f3fd618d82f58cccebce6195993a");
  } finally {
    aead[Symbol.dispose]();
  }
}

function hex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(text);
}

function expect(what: string, actual: Uint8Array, expected: string): void {
  demand(`${what} gives ${actual.toHex()} instead of ${expected}`, actual.toHex() === expected);
}

function refuse(what: string, run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (error instanceof AuthenticationError) return;
    throw error;
  }
  throw new MinimeError(`Self-test of the cryptography failed: it accepts ${what}`);
}

function demand(failure: string, holds: boolean): void {
  if (!holds) throw new MinimeError(`Self-test of the cryptography failed: ${failure}`);
}
