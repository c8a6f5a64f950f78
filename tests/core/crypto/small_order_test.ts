/** The tables of bad keys, against the points themselves. */

import assert from "node:assert/strict";
import { ed25519 } from "@noble/curves/ed25519.js";
import {
  isCanonicalPoint,
  isSmallOrderDhKey,
  isSmallOrderPoint,
} from "../../../core/crypto/small_order.ts";
import { hex, NATIVE, primitivesOf } from "./engines.ts";

const { Point } = ed25519;
const PRIME = 2n ** 255n - 19n;
/** A point of order 8: its multiples are all eight of them. */
const ORDER_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";

function encoded(value: bigint, top = 0): Uint8Array<ArrayBuffer> {
  const bytes = hex(value.toString(16).padStart(64, "0")).reverse();
  bytes[31]! |= top;
  return bytes;
}

Deno.test("small order: all multiples of a point of order 8 are refused as signers", () => {
  let point = Point.ZERO;
  const seen = new Set<string>();
  for (let i = 0; i < 8; i++) {
    assert.ok(isSmallOrderPoint(point.toBytes()), `multiple ${i}`);
    seen.add(point.toHex());
    point = point.add(Point.fromHex(ORDER_8));
  }
  assert.equal(seen.size, 8);
});

Deno.test("small order: every encoding above the prime is judged like its point", () => {
  for (let value = PRIME; value < 2n ** 255n; value++) {
    for (const top of [0, 0x80]) {
      const bytes = encoded(value, top);
      assert.equal(isCanonicalPoint(bytes), false);
      let small: boolean;
      try {
        small = Point.fromBytes(bytes, true).isSmallOrder();
      } catch {
        continue; // No point of the curve at all.
      }
      assert.equal(isSmallOrderPoint(bytes), small, bytes.toHex());
    }
  }
});

Deno.test("small order: ordinary keys and lengths are let through", () => {
  const { signPublicKey, dhPublicKey } = primitivesOf(NATIVE);
  for (let i = 0; i < 20; i++) {
    const seed = new Uint8Array(32).fill(i);
    assert.equal(isSmallOrderPoint(signPublicKey(seed)), false);
    assert.equal(isCanonicalPoint(signPublicKey(seed)), true);
    assert.equal(isSmallOrderDhKey(dhPublicKey(seed)), false);
  }
  assert.equal(isCanonicalPoint(encoded(PRIME - 1n, 0x80)), true);
  assert.equal(isSmallOrderPoint(new Uint8Array(31)), false);
  assert.equal(isSmallOrderPoint(new Uint8Array(33)), false);
});

Deno.test("small order: an X25519 key is refused exactly when its shared secret is zero", () => {
  const { dh } = primitivesOf(NATIVE);
  const order8 = [
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  ];
  const candidates = [0n, 1n, 2n, 9n, PRIME - 1n, PRIME, PRIME + 1n, PRIME + 2n, PRIME + 18n]
    .flatMap((u) => [encoded(u), encoded(u, 0x80)]).concat(order8.map(hex));
  let refused = 0;
  for (const key of candidates) {
    const small = isSmallOrderDhKey(key);
    if (small) {
      assert.throws(() => dh(new Uint8Array(32).fill(5), key), { reason: "handshake" });
      refused++;
    } else assert.equal(dh(new Uint8Array(32).fill(5), key).length, 32, key.toHex());
  }
  assert.equal(refused, 12);
});
