/**
 * The real primitives, which in addition remember what they were asked: in a simulated mesh sixty
 * nodes verify the same advert, both ends of a link compute the same shared secret, and a second run
 * with the same seed asks for everything again. All of it is pure, so nobody can notice but by time.
 */

import { choosePrimitives, equalBytes, type Primitives } from "../../core/mod.ts";

/** Verifications and shared secrets kept, about 1 KiB each. */
const KEPT_MAX = 50_000;

interface Verification {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly good: boolean;
}

/** One for the whole test process; whoever imports this has opened what it needs before any test. */
export const simulationPrimitives: Primitives = remembering(await choosePrimitives());

function remembering(real: Primitives): Primitives {
  const verified = new Map<string, Verification>();
  const publicKeys = new Map<string, Uint8Array<ArrayBuffer>>();
  const shared = new Map<string, Uint8Array<ArrayBuffer>>();
  const dhPublicKey = (secret: Uint8Array) =>
    recall(publicKeys, secret.toHex(), () => real.dhPublicKey(secret)).slice();
  return {
    ...real,
    dhPublicKey,
    dh(secret, publicKey) {
      const ends = [dhPublicKey(secret).toHex(), publicKey.toHex()].sort();
      return recall(shared, ends.join(" "), () => real.dh(secret, publicKey)).slice();
    },
    verify(publicKey, message, signature) {
      const key = signature.toHex();
      const known = verified.get(key);
      if (
        known !== undefined && equalBytes(known.publicKey, publicKey) &&
        equalBytes(known.message, message)
      ) return known.good;
      const good = real.verify(publicKey, message, signature);
      if (verified.size >= KEPT_MAX) verified.clear();
      verified.set(key, { publicKey: publicKey.slice(), message: message.slice(), good });
      return good;
    },
  };
}

function recall<T>(known: Map<string, T>, key: string, make: () => T): T {
  let value = known.get(key);
  if (value === undefined) {
    value = make();
    if (known.size >= KEPT_MAX) known.clear();
    known.set(key, value);
  }
  return value;
}
