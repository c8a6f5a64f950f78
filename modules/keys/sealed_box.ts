/**
 * Something for one key alone, which lies where everybody can read it: an X25519 key of its own, made
 * for it and forgotten, then ChaCha20-Poly1305. It says nothing about who sealed it.
 *
 *   e_pub 32 | sealed; key = HKDF-SHA-256(salt "minime-box-v1", DH(e, to), info e_pub | to), nonce 0
 */

import { type Primitives, ProtocolError, type Random } from "../../core/mod.ts";
import { KEY_BYTES } from "../shared/authority.ts";

const SALT = new TextEncoder().encode("minime-box-v1");
const TAG_BYTES = 16;
const NO_BYTES = new Uint8Array(0);

/** Only who has the secret of `to` (X25519) can open it. */
export function sealFor(
  { primitives, random }: { readonly primitives: Primitives; readonly random: Random },
  to: Uint8Array,
  plain: Uint8Array,
): Uint8Array {
  const secret = random.bytes(KEY_BYTES);
  const own = primitives.dhPublicKey(secret);
  const box = new Uint8Array(KEY_BYTES + plain.length + TAG_BYTES);
  box.set(own);
  const shared = primitives.dh(secret, to);
  using aead = primitives.createAead(keyOf(primitives, shared, [own, to]));
  aead.seal(0, NO_BYTES, plain, box.subarray(KEY_BYTES));
  return box;
}

/** Throws AuthenticationError when it is for another key, or was changed. */
export function openBox(primitives: Primitives, secret: Uint8Array, box: Uint8Array): Uint8Array {
  if (box.length < KEY_BYTES + TAG_BYTES) throw new ProtocolError("A sealed box is longer");
  const sender = box.slice(0, KEY_BYTES);
  const plain = new Uint8Array(box.length - KEY_BYTES - TAG_BYTES);
  const shared = primitives.dh(secret, sender);
  const key = keyOf(primitives, shared, [sender, primitives.dhPublicKey(secret)]);
  using aead = primitives.createAead(key);
  aead.open(0, NO_BYTES, box.slice(KEY_BYTES), plain);
  return plain;
}

function keyOf(
  primitives: Primitives,
  shared: Uint8Array,
  [first, second]: readonly [Uint8Array, Uint8Array],
): Uint8Array {
  const info = new Uint8Array([...first, ...second]);
  return primitives.hkdf(SALT, shared, { bytes: KEY_BYTES, info });
}
