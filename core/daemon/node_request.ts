/**
 * Requests signed by the node's own key. They open nothing but what a policy grants to nodes by name;
 * everybody who can make this daemon sign one acts with the authority of its node and no more.
 */

import type { Environment } from "../environment/environment.ts";
import { REQUEST_ID_BYTES } from "../limits.ts";
import type { Primitives } from "../crypto/primitives.ts";
import { signRequest } from "../security/request.ts";
import type { Self } from "../security/trust.ts";
import { encodeCanonical } from "../wire/codec.ts";

export interface NodeRequest {
  readonly verb: string;
  readonly args: unknown;
  /** Names of the nodes that may act on it. */
  readonly targets: readonly string[];
  /** How long from now it may be started, in ms. */
  readonly ttlMs: number;
}

/** As {@link ModuleHost.signRequest}. */
export function signNodeRequest(
  request: NodeRequest,
  node: {
    readonly env: Pick<Environment, "clock" | "random">;
    readonly primitives: Primitives;
    readonly meshId: Uint8Array;
    readonly self: Self;
  },
): Uint8Array {
  const { verb, args, targets, ttlMs } = request;
  const { env: { clock, random }, primitives, meshId, self } = node;
  const issuedMs = Math.floor(clock.now());
  return signRequest(primitives, {
    meshId,
    requestId: random.bytes(REQUEST_ID_BYTES),
    issuedMs,
    expiresMs: issuedMs + ttlMs,
    targets: { kind: "names", names: targets },
    verb,
    arguments: encodeCanonical(args),
    seed: self.signSeed,
    chain: self.identity.chain,
  });
}
