/**
 * Signatures that modules make with the node's key without ever seeing it. Each is made in a domain,
 * and the core's own domains are refused, so that no module can be talked into signing a
 * certificate, a request or a policy.
 */

import { UsageError } from "../errors.ts";
import type { Primitives } from "../crypto/primitives.ts";
import { concatBytes, type Scratch } from "../wire/bytes.ts";

/** What a module received and wants to know the signer of. */
export interface SignedBytes {
  /** Ed25519, from a verified certificate. */
  readonly publicKey: Uint8Array;
  readonly bytes: Uint8Array;
  /** What follows them: its SHA-256 is signed, since a signature hashes all that it signs twice. @default nothing */
  readonly content?: Uint8Array;
  readonly signature: Uint8Array;
}

/** A prefix of documents that ends in a NUL, so no domain is the beginning of another one. */
const DOMAIN = /^minime-[a-z]{1,32}-v[0-9]{1,3}$/;
const DOMAINS_OF_THE_CORE = /^minime-(cert|req|targets|policy|revoke|secrets|mesh|noise)-/;
const encoder = new TextEncoder();

interface InDomain extends Omit<SignedBytes, "publicKey" | "signature"> {
  readonly domain: string;
  /** For who does it often. @default memory of its own */
  readonly scratch?: Scratch;
}

/** Throws UsageError for a domain that modules may not sign in. */
export function signForModule(
  primitives: Pick<Primitives, "sign" | "sha256">,
  options: InDomain & { readonly seed: Uint8Array },
): Uint8Array {
  const { domain, seed } = options;
  if (!DOMAIN.test(domain) || DOMAINS_OF_THE_CORE.test(domain)) {
    throw new UsageError(`Modules cannot sign in the domain "${domain}"`);
  }
  return primitives.sign(seed, inDomain(primitives, options));
}

/** Whether that key signed the bytes in that domain. Never throws. */
export function verifyForModule(
  primitives: Pick<Primitives, "verify" | "sha256">,
  options: InDomain & SignedBytes,
): boolean {
  const { publicKey, signature } = options;
  return primitives.verify(publicKey, inDomain(primitives, options), signature);
}

function inDomain(
  { sha256 }: Pick<Primitives, "sha256">,
  { domain, bytes, content, scratch }: InDomain,
): Uint8Array {
  const parts = [
    encoder.encode(`${domain}\0`),
    bytes,
    ...(content === undefined ? [] : [sha256(content)]),
  ];
  return scratch === undefined ? concatBytes(...parts) : scratch.join(...parts);
}
