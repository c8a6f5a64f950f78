/** The counter and the change of key, against REKEY written a second time straight from the text. */

import assert from "node:assert/strict";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { CipherState, NONCE_MAX } from "../../../core/crypto/cipher_state.ts";
import { ENGINES, hex, primitivesOf } from "./engines.ts";

const EMPTY = new Uint8Array(0);
const KEY = new Uint8Array(32).fill(0x42);

for (const engine of ENGINES) {
  const { createAead } = primitivesOf(engine);

  Deno.test(`cipher state: rekey follows the specification on ${engine.source}`, () => {
    using state = new CipherState(createAead(KEY));
    let expected: Uint8Array = KEY;
    for (let n = 0; n < 6; n++) {
      const sealed = new Uint8Array(19);
      state.seal(hex("ad"), Uint8Array.of(n, n, n), sealed);
      const nonce = new Uint8Array(12);
      nonce[4] = n; // The counter goes on after a rekey (section 11.3).
      const cipher = chacha20poly1305(expected, nonce, hex("ad"));
      assert.equal(sealed.toHex(), cipher.encrypt(Uint8Array.of(n, n, n)).toHex());
      if (n % 2 === 1) {
        state.rekey();
        // REKEY(k) = the first 32 bytes of ENCRYPT(k, 2^64 - 1, empty, 32 zeros), section 4.2.
        const last = hex("00000000ffffffffffffffff");
        expected = chacha20poly1305(expected, last).encrypt(new Uint8Array(32)).slice(0, 32);
      }
    }
  });

  Deno.test(`cipher state: two ends rekey in step on ${engine.source}`, () => {
    using sender = new CipherState(createAead(KEY));
    using receiver = new CipherState(createAead(KEY));
    const frame = new Uint8Array(17);
    sender.seal(EMPTY, hex("01"), frame);
    receiver.open(EMPTY, frame, frame);
    sender.rekey();
    sender.seal(EMPTY, hex("02"), frame);
    assert.throws(() => receiver.open(EMPTY, frame.slice(), frame.slice()), { reason: "tag" });
    receiver.rekey();
    assert.equal(receiver.open(EMPTY, frame, frame), 1);
    assert.equal(frame[0], 2);
  });
}

const { createAead } = primitivesOf(ENGINES[0]!);

Deno.test("cipher state: replayed, skipped and swapped frames do not open", () => {
  using sender = new CipherState(createAead(KEY));
  using receiver = new CipherState(createAead(KEY));
  const frames = [0, 1, 2].map((n) => {
    const frame = new Uint8Array(17);
    sender.seal(EMPTY, Uint8Array.of(n), frame);
    return frame;
  });
  const out = new Uint8Array(1);
  const refused = { name: "AuthenticationError", reason: "tag" };
  assert.throws(() => receiver.open(EMPTY, frames[1]!, out), refused);
  receiver.open(EMPTY, frames[0]!, out);
  assert.throws(() => receiver.open(EMPTY, frames[0]!, out), refused);
  assert.throws(() => receiver.open(EMPTY, frames[2]!, out), refused);
  assert.equal(receiver.nonce, 1, "a failed open does not count");
  receiver.open(EMPTY, frames[1]!, out);
  assert.equal(out[0], 1);
});

Deno.test("cipher state: a carried number opens frames in any order", () => {
  using sender = new CipherState(createAead(KEY));
  using receiver = new CipherState(createAead(KEY));
  const [frame, out] = [new Uint8Array(17), new Uint8Array(1)];
  for (const n of [2 ** 40 + 5, 3]) {
    sender.setNonce(n);
    sender.seal(EMPTY, hex("aa"), frame);
    receiver.setNonce(n);
    receiver.open(EMPTY, frame, out);
    assert.equal(receiver.nonce, n + 1);
  }
  assert.throws(() => receiver.setNonce(-1), {
    name: "RangeError",
    message: "Nonce must be a whole number from 0 to 2^53 - 1, not -1",
  });
});

Deno.test("cipher state: no counter is used twice at the end of its range", () => {
  using state = new CipherState(createAead(KEY));
  const out = new Uint8Array(16);
  state.setNonce(NONCE_MAX - 1);
  state.seal(EMPTY, EMPTY, out);
  const error = { name: "RangeError", message: "Cipher state has used up its nonces" };
  assert.throws(() => state.seal(EMPTY, EMPTY, out), error);
  assert.throws(() => state.open(EMPTY, out, out), error);
});
