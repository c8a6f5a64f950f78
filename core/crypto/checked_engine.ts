/**
 * An engine's operations behind the checks that must be equal for all of them: lengths, all-zero
 * results, small-order and non-canonical keys. What is made here has the contract of Primitives.
 */

import { AuthenticationError } from "../errors.ts";
import type {
  AeadOperations,
  AgreementOperations,
  HashOperations,
  SignatureOperations,
} from "./engines.ts";
import { hkdf } from "./hkdf.ts";
import { KeyedAead } from "./keyed_aead.ts";
import { KEY_BYTES, type Primitives, SIGNATURE_BYTES } from "./primitives.ts";
import { isCanonicalPoint, isSmallOrderPoint } from "./small_order.ts";

export type AgreementPrimitives = Pick<Primitives, "dhPublicKey" | "dh">;
export type SignaturePrimitives = Pick<Primitives, "signPublicKey" | "sign" | "verify">;
export type HashPrimitives = Pick<Primitives, "sha256" | "startSha256" | "hmac" | "hkdf">;
export type AeadPrimitives = Pick<Primitives, "createAead">;

export function checkedAgreement(engine: AgreementOperations): AgreementPrimitives {
  return {
    dhPublicKey: (secret) => engine.dhPublicKey(sized("Secret", secret)),
    dh(secret, publicKey) {
      const shared = engine.dh(sized("Secret", secret), sized("Public key", publicKey));
      // RFC 7748 section 6.1: whoever sends such a key learns or dictates the result.
      if (shared?.some((byte) => byte !== 0)) return shared;
      throw new AuthenticationError("handshake", "Public key has a small order");
    },
  };
}

/** The same operations, with their arguments checked at the door. */
export function checkedSignatures(engine: SignatureOperations): SignaturePrimitives {
  return {
    signPublicKey: (seed) => engine.signPublicKey(sized("Seed", seed)),
    sign: (seed, message) => engine.sign(sized("Seed", seed), message),
    verify: (publicKey, message, signature) =>
      publicKey.length === KEY_BYTES && signature.length === SIGNATURE_BYTES &&
      isCanonicalPoint(publicKey) && !isSmallOrderPoint(publicKey) &&
      engine.verify(publicKey, message, signature),
  };
}

/** The same operations, with their arguments checked at the door. */
export function checkedHashes(engine: HashOperations): HashPrimitives {
  return {
    sha256: (...parts) => engine.sha256(...parts),
    startSha256: () => engine.startSha256(),
    hmac: (key, ...parts) => engine.hmac(key, ...parts),
    hkdf: (salt, input, options) => hkdf(engine.hmac, salt, input, options),
  };
}

/** The same operations, with their arguments checked at the door. */
export function checkedAead(engine: AeadOperations): AeadPrimitives {
  return { createAead: (key) => new KeyedAead(engine, key) };
}

function sized(what: string, key: Uint8Array): Uint8Array {
  if (key.length === KEY_BYTES) return key;
  throw new RangeError(`${what} must have ${KEY_BYTES} bytes, not ${key.length}`);
}
