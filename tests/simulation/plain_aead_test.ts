/** The stand-in of large meshes fails where the real cipher fails: other key, other order, other tag. */

import assert from "node:assert/strict";
import { TAG_BYTES } from "../../core/limits.ts";
import { AuthenticationError } from "../../core/mod.ts";
import { PlainAead } from "./plain_aead.ts";

const EMPTY = new Uint8Array(0);
const KEY = new Uint8Array(32).fill(1);
const TEXT = new TextEncoder().encode("hello");

function sealed(aead: PlainAead, nonce: number): Uint8Array {
  const out = new Uint8Array(TEXT.length + TAG_BYTES);
  assert.equal(aead.seal(nonce, EMPTY, TEXT, out), out.length);
  return out;
}

Deno.test("plain aead: opens what the same key has sealed with the same counter, in place too", () => {
  const [one, other] = [new PlainAead(KEY), new PlainAead(KEY)];
  for (const rekeyed of [false, true]) {
    const frame = sealed(one, 7);
    assert.equal(other.open(7, EMPTY, frame, frame), TEXT.length);
    assert.deepEqual(frame.subarray(0, TEXT.length), TEXT);
    if (rekeyed) break;
    one.rekey();
    other.rekey();
  }
});

Deno.test("plain aead: refuses another key, another counter, another tag, and any use after disposal", () => {
  const aead = new PlainAead(KEY);
  const frame = sealed(aead, 7);
  const refused = (open: () => void) => assert.throws(open, AuthenticationError);
  refused(() => new PlainAead(new Uint8Array(32)).open(7, EMPTY, frame, new Uint8Array(64)));
  refused(() => aead.open(8, EMPTY, frame, new Uint8Array(64)));
  refused(() => aead.open(7, EMPTY, frame.subarray(1), new Uint8Array(64)));
  refused(() => aead.open(7, EMPTY, frame.subarray(0, TAG_BYTES - 1), new Uint8Array(64)));
  aead[Symbol.dispose]();
  assert.throws(() => aead.open(7, EMPTY, frame, new Uint8Array(64)), { name: "MinimeError" });
});
