/**
 * One attempt to link with somebody at one place, whoever told of it: the mesh file, an advert or a
 * network. Whether there is who was expected, the handshake proves; a place is only where to knock.
 */

import {
  type Clock,
  ConnectionError,
  type Link,
  type Links,
  withTimeLimit,
} from "../../core/mod.ts";

/** Whom and where. */
export interface LinkDial {
  readonly endpoint: string;
  /** By key, or by name where the key is not known. */
  readonly expect: { readonly keyId: string } | { readonly name: string };
  /** The whole attempt, its handshake included. */
  readonly ms: number;
  readonly signal: AbortSignal;
}

/** Rejects with ConnectionError or AuthenticationError, or with the signal's reason. */
export async function dialLink(
  { links, clock }: { readonly links: Pick<Links, "dial">; readonly clock: Clock },
  { endpoint, expect, ms, signal }: LinkDial,
): Promise<Link> {
  return await withTimeLimit((signal) => links.dial(endpoint, { expect, signal }), {
    clock,
    ms,
    late: () => new ConnectionError("timeout", `No answer within ${ms} ms`),
    signal,
  });
}
