/** The stand-ins of large meshes fail where the real primitives fail: other keys, other bytes. */

import assert from "node:assert/strict";
import { plainPrimitives as plain } from "./plain_primitives.ts";

const [ONE, OTHER] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
const TEXT = new TextEncoder().encode("hello");

Deno.test("plain primitives: both ends share a secret, which nobody else does", () => {
  const [a, b] = [plain.dhPublicKey(ONE), plain.dhPublicKey(OTHER)];
  assert.deepEqual(plain.dh(ONE, b), plain.dh(OTHER, a));
  assert.notDeepEqual(plain.dh(ONE, b), plain.dh(ONE, a));
});

Deno.test("plain primitives: a signature fits one key and one message", () => {
  const key = plain.signPublicKey(ONE);
  const signature = plain.sign(ONE, TEXT);
  assert.equal(plain.verify(key, TEXT, signature), true);
  assert.equal(plain.verify(plain.signPublicKey(OTHER), TEXT, signature), false);
  assert.equal(plain.verify(key, TEXT.subarray(1), signature), false);
  assert.equal(plain.verify(key, TEXT, signature.subarray(1)), false);
});

Deno.test("plain primitives: a hash depends on every byte, and not on how the bytes come", () => {
  const hashes = new Set([plain.sha256(TEXT).toHex()]);
  for (let i = 0; i < TEXT.length; i++) {
    const changed = TEXT.slice();
    changed[i]! ^= 1;
    hashes.add(plain.sha256(changed).toHex());
  }
  assert.equal(hashes.size, 1 + TEXT.length);
  const stream = plain.startSha256();
  for (const byte of TEXT) stream.update(Uint8Array.of(byte));
  const whole = plain.sha256(TEXT);
  assert.deepEqual(stream.digest(), whole);
  assert.deepEqual(plain.sha256(TEXT.subarray(0, 2), TEXT.subarray(2)), whole);
  assert.notDeepEqual(plain.hmac(ONE, TEXT), plain.hmac(OTHER, TEXT));
});
