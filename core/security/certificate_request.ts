/** What somebody shows who wants a certificate: one of type request, by the very key that it is for. */

import type { Primitives } from "../crypto/primitives.ts";
import { type Certificate, signCertificate } from "./certificate.ts";

/** A request says nothing about validity; the field must hold something. */
const VALIDITY_MS = 3_600_000;

/** Name and mesh are wishes: whoever issues decides. */
export function signCertificateRequest(
  primitives: Primitives,
  options: {
    /** Ed25519, and its X25519 companion. */
    readonly signSeed: Uint8Array;
    readonly dhPublicKey: Uint8Array;
    readonly name: string;
    /** Zeros where it is not known yet. */
    readonly meshId: Uint8Array;
    /** Unix ms. */
    readonly now: number;
  },
): Certificate {
  const { signSeed, dhPublicKey, name, meshId, now } = options;
  return signCertificate(primitives, {
    issuerSeed: signSeed,
    fields: {
      type: "request",
      serial: 0n,
      meshId,
      name,
      signPublicKey: primitives.signPublicKey(signSeed),
      dhPublicKey,
      notBefore: now,
      notAfter: now + VALIDITY_MS,
      groups: [],
    },
  });
}
