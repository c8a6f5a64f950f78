/** Wycheproof's vectors on every engine; each file says how many of its cases must have run. */

import assert from "node:assert/strict";
import type { Engine } from "../../../core/crypto/engines.ts";
import { ENGINES, hex, NOBLE, primitivesOf, readVectors } from "./engines.ts";

interface Group<Case> {
  readonly ivSize?: number;
  readonly tagSize?: number;
  readonly publicKey?: { readonly pk: string };
  readonly tests: readonly (Case & Base)[];
}
interface Base {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  readonly result: "valid" | "invalid" | "acceptable";
}

function groups<Case>(file: string): readonly Group<Case>[] {
  return JSON.parse(readVectors(`wycheproof/${file}_test.json`)).testGroups;
}

function onEach(what: string, run: (engine: Engine) => void): void {
  for (const engine of ENGINES) {
    Deno.test(`wycheproof: ${what} on ${engine.source}`, () => run(engine));
  }
}

onEach("x25519", (engine) => {
  const { dh } = primitivesOf(engine);
  let agreed = 0, refused = 0;
  for (const { tests } of groups<{ public: string; private: string; shared: string }>("x25519")) {
    for (const test of tests) {
      const run = () => dh(hex(test.private), hex(test.public));
      if (/^0+$/.test(test.shared)) {
        assert.throws(run, {
          name: "AuthenticationError",
          message: "Public key has a small order",
        });
        refused++;
      } else {
        assert.equal(run().toHex(), test.shared, `case ${test.tcId}`);
        agreed++;
      }
    }
  }
  assert.deepEqual({ agreed, refused }, { agreed: 487, refused: 31 });
});

onEach("ed25519", (engine) => {
  const { verify } = primitivesOf(engine);
  let valid = 0, invalid = 0;
  for (const { publicKey, tests } of groups<{ msg: string; sig: string }>("ed25519")) {
    for (const test of tests) {
      const accepted = verify(hex(publicKey!.pk), hex(test.msg), hex(test.sig));
      assert.equal(accepted, test.result === "valid", `case ${test.tcId}: ${test.comment}`);
      accepted ? valid++ : invalid++;
    }
  }
  assert.deepEqual({ valid, invalid }, { valid: 88, invalid: 63 });
});

onEach("chacha20-poly1305", (engine) => {
  const aead = engine.aead ?? NOBLE.aead!;
  const unsaid = { key: "", iv: "", aad: "", msg: "", ct: "", tag: "" };
  let valid = 0, invalid = 0, otherNonces = 0;
  for (const { ivSize, tests } of groups<typeof unsaid>("chacha20_poly1305")) {
    for (const test of tests) {
      if (ivSize !== 96) {
        otherNonces++; // An engine gets 12 bytes by contract; there is no way to hand it others.
        continue;
      }
      using cipher = aead.createCipher(hex(test.key));
      const [nonce, ad, plaintext] = [hex(test.iv), hex(test.aad), hex(test.msg)];
      const expected = test.ct + test.tag;
      const out = new Uint8Array(plaintext.length);
      const opened = cipher.open(nonce, ad, hex(expected), out);
      assert.equal(opened, test.result === "valid", `case ${test.tcId}: ${test.comment}`);
      if (opened) {
        assert.equal(out.toHex(), test.msg);
        const sealed = new Uint8Array(plaintext.length + 16);
        cipher.seal(nonce, ad, plaintext, sealed);
        assert.equal(sealed.toHex(), expected, `case ${test.tcId}`);
        valid++;
      } else {
        assert.ok(out.every((byte) => byte === 0), "a failed open leaves no plaintext");
        invalid++;
      }
    }
  }
  assert.deepEqual({ valid, invalid, otherNonces }, { valid: 256, invalid: 60, otherNonces: 9 });
});

onEach("hkdf", (engine) => {
  const { hkdf } = primitivesOf(engine);
  let valid = 0, invalid = 0;
  const unsaid = { ikm: "", salt: "", info: "", size: 0, okm: "" };
  for (const { tests } of groups<typeof unsaid>("hkdf_sha256")) {
    for (const test of tests) {
      const run = () =>
        hkdf(hex(test.salt), hex(test.ikm), { bytes: test.size, info: hex(test.info) });
      if (test.result === "valid") {
        assert.equal(run().toHex(), test.okm, `case ${test.tcId}`);
        valid++;
      } else {
        assert.throws(run, /^RangeError: bytes must be a whole number from 0 to 8160, not \d+$/);
        invalid++;
      }
    }
  }
  assert.deepEqual({ valid, invalid }, { valid: 83, invalid: 3 });
});

onEach("hmac", (engine) => {
  const { hmac } = primitivesOf(engine);
  let valid = 0, invalid = 0;
  for (const group of groups<{ key: string; msg: string; tag: string }>("hmac_sha256")) {
    for (const test of group.tests) {
      const message = hex(test.msg);
      const half = message.length >> 1;
      const parts = [message.subarray(0, half), message.subarray(half)];
      const tag = hmac(hex(test.key), ...parts).subarray(0, group.tagSize! / 8);
      assert.equal(tag.toHex() === test.tag, test.result === "valid", `case ${test.tcId}`);
      test.result === "valid" ? valid++ : invalid++;
    }
  }
  assert.deepEqual({ valid, invalid }, { valid: 66, invalid: 108 });
});
