/** The self-test must pass on what is right and name what is wrong. */

import assert from "node:assert/strict";
import type { Aead, Primitives } from "../../../core/crypto/primitives.ts";
import { selfTest } from "../../../core/crypto/self_test.ts";
import { ENGINES, NATIVE, primitivesOf } from "./engines.ts";

const GOOD = primitivesOf(NATIVE);

for (const engine of ENGINES) {
  Deno.test(`self-test: passes on ${engine.source}`, () => selfTest(primitivesOf(engine)));
}

/** One operation that is wrong, and the words in which the self-test must say so. */
const FAULTS: readonly [string, Partial<Primitives>, RegExp][] = [
  ["wrong public key", { dhPublicKey: () => zeros(32) }, /X25519 key gives 0{64} instead of 8520/],
  ["wrong shared secret", { dh: () => zeros(32) }, /X25519 gives 0{64} instead of 4a5d/],
  [
    "all-zero shared secret",
    { dh: (secret, key) => key.some((byte) => byte) ? GOOD.dh(secret, key) : zeros(32) },
    /it accepts an all-zero shared secret$/,
  ],
  ["wrong signer", { signPublicKey: () => zeros(32) }, /Ed25519 key gives 0{64} instead of fc51/],
  ["wrong signature", { sign: () => zeros(64) }, /Ed25519 gives 0{128} instead of 6291/],
  ["no signature accepted", { verify: () => false }, /Ed25519 refuses a good signature$/],
  ["every signature accepted", { verify: () => true }, /Ed25519 accepts a changed message$/],
  [
    "forged signature of the identity accepted",
    { verify: (key, ...rest) => key[1] === 0 || GOOD.verify(key, ...rest) },
    /Ed25519 accepts the identity as signer$/,
  ],
  ["wrong hash", { sha256: () => zeros(32) }, /SHA-256 gives 0{64} instead of ba78/],
  ["wrong hash of parts", { sha256: (first) => GOOD.sha256(first!) }, /SHA-256 gives ca978112/],
  ["wrong HMAC", { hmac: () => zeros(32) }, /HMAC-SHA-256 gives 0{64} instead of b034/],
  ["wrong HKDF", { hkdf: () => zeros(42) }, /HKDF-SHA-256 gives 0{84} instead of 3cb2/],
  [
    "wrong counter",
    {
      createAead: (key) =>
        changed(key, { seal: (aead) => (n, ...rest) => aead.seal(n + 1, ...rest) }),
    },
    /ChaCha20-Poly1305 gives [0-9a-f]+ instead of af70/,
  ],
  [
    "tag not looked at",
    { createAead: (key) => changed(key, { open: openAnything }) },
    /it accepts a modified tag$/,
  ],
  [
    "rekey that keeps the key",
    { createAead: (key) => changed(key, { rekey: () => () => {} }) },
    /Rekey gives [0-9a-f]{32} instead of 5d86/,
  ],
];

for (const [what, fault, message] of FAULTS) {
  Deno.test(`self-test: finds a ${what}`, () => {
    assert.throws(() => selfTest({ ...GOOD, ...fault }), (error: Error) => {
      assert.equal(error.name, "MinimeError");
      assert.match(error.message, /^Self-test of the cryptography failed: /);
      assert.match(error.message, message);
      return true;
    });
  });
}

type Change = { readonly [K in "seal" | "open" | "rekey"]?: (aead: Aead) => Aead[K] };

function changed(key: Uint8Array, change: Change): Aead {
  const aead = GOOD.createAead(key);
  return {
    seal: change.seal?.(aead) ?? ((...args) => aead.seal(...args)),
    open: change.open?.(aead) ?? ((...args) => aead.open(...args)),
    rekey: change.rekey?.(aead) ?? (() => aead.rekey()),
    [Symbol.dispose]: () => aead[Symbol.dispose](),
  };
}

/** Opens by sealing zeros and taking what the cipher stream leaves, as one who forgot the tag would. */
function openAnything(aead: Aead): Aead["open"] {
  return (nonce, ad, ciphertext, out) => {
    const stream = zeros(ciphertext.length);
    const bytes = ciphertext.length - 16;
    aead.seal(nonce, ad, zeros(bytes), stream);
    for (let i = 0; i < bytes; i++) out[i] = ciphertext[i]! ^ stream[i]!;
    return bytes;
  };
}

function zeros(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
