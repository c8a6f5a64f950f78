/**
 * Whether who was proven at the beginning of a conduit may still be there: certificates expire and
 * are revoked while conduits live (SECURITY.md 2).
 */

import type { Identity } from "../security/chain.ts";
import type { Revocations } from "../security/revocation.ts";

/** Why not; undefined while all is well. */
export function whyNoLongerValid(
  identity: Identity,
  now: { readonly ms: number; readonly revocations: Revocations },
): string | undefined {
  const { certificate, issuer, name, notAfter } = identity;
  if (now.ms > notAfter) return `Certificate of "${name}" has expired`;
  for (const { keyId, notBefore } of issuer === undefined ? [certificate] : [certificate, issuer]) {
    if (now.revocations.isRevoked(keyId, notBefore)) return `Certificate of "${name}" is revoked`;
  }
  return undefined;
}
