/**
 * Signatures that modules make with the node's key without ever seeing it. Each is made in a domain,
 * and the core's own domains are refused, so that no module can be talked into signing a
 * certificate, a request or a policy.
 */

import { UsageError } from "../errors.ts";
import type { Primitives } from "../crypto/primitives.ts";
import { concatBytes } from "../wire/bytes.ts";

/** What a module received and wants to know the signer of. */
export interface SignedBytes {
  /** Ed25519, from a verified certificate. */
  readonly publicKey: Uint8Array;
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** A prefix of documents that ends in a NUL, so no domain is the beginning of another one. */
const DOMAIN = /^minime-[a-z]{1,32}-v[0-9]{1,3}$/;
const DOMAINS_OF_THE_CORE = /^minime-(cert|req|targets|policy|revoke|secrets|mesh|noise)-/;
const encoder = new TextEncoder();

/** Throws UsageError for a domain that modules may not sign in. */
export function signForModule(
  primitives: Pick<Primitives, "sign">,
  options: { readonly domain: string; readonly bytes: Uint8Array; readonly seed: Uint8Array },
): Uint8Array {
  const { domain, bytes, seed } = options;
  if (!DOMAIN.test(domain) || DOMAINS_OF_THE_CORE.test(domain)) {
    throw new UsageError(`Modules cannot sign in the domain "${domain}"`);
  }
  return primitives.sign(seed, inDomain(domain, bytes));
}

/** Whether that key signed the bytes in that domain. Never throws. */
export function verifyForModule(
  primitives: Pick<Primitives, "verify">,
  options: SignedBytes & { readonly domain: string },
): boolean {
  const { domain, publicKey, bytes, signature } = options;
  return primitives.verify(publicKey, inDomain(domain, bytes), signature);
}

function inDomain(domain: string, bytes: Uint8Array): Uint8Array {
  return concatBytes(encoder.encode(`${domain}\0`), bytes);
}
