/**
 * Dials a registrar as somebody who has no certificate that counts: with a token, or with the mesh's
 * PSK where one has expired.
 */

import type { Expectation } from "../conduit/handshake.ts";
import { TcpFront } from "../conduit/tcp.ts";
import type { Environment } from "../environment/environment.ts";
import type { Primitives } from "../crypto/primitives.ts";
import type { Certificate } from "../security/certificate.ts";
import { signCertificateRequest } from "../security/certificate_request.ts";
import { meshIdOf } from "../security/chain.ts";
import { POLICY_LIMITS_DEFAULT } from "../security/policy.ts";
import { NO_REVOCATIONS } from "../security/revocation.ts";
import type { MeshSecret, Self, Trust } from "../security/trust.ts";
import { VerifiedCertificates } from "../security/verified_certificates.ts";
import { ConnectionError } from "../errors.ts";
import { JOIN_DIAL_MS_MAX } from "../limits.ts";
import { withTimeLimit } from "../time_limit.ts";
import { Calls } from "./calls.ts";

/** Keys that were made here, and stay here. */
export interface JoinKeys {
  readonly signSeed: Uint8Array;
  readonly dhSecret: Uint8Array;
}

/** The caller closes it. Rejects with ConnectionError or AuthenticationError. */
export async function dialRegistrar(
  env: Pick<Environment, "clock" | "network" | "random">,
  primitives: Primitives,
  options: {
    readonly rootPublicKey: Uint8Array;
    /** Who we want to be. */
    readonly name: string;
    /** Of a token, or the mesh's. */
    readonly secret: MeshSecret;
    readonly keys: JoinKeys;
    readonly endpoint: string;
    /** Who is to answer. */
    readonly expect: Expectation;
    readonly signal: AbortSignal;
  },
): Promise<Calls> {
  const { rootPublicKey, name, secret, keys, endpoint, expect, signal } = options;
  const { clock, network, random } = env;
  const meshId = meshIdOf(primitives, rootPublicKey);
  const now = Math.floor(clock.now());
  const dhPublicKey = primitives.dhPublicKey(keys.dhSecret);
  const { signSeed } = keys;
  const request = signCertificateRequest(primitives, { signSeed, dhPublicKey, name, meshId, now });
  const trust: Trust = {
    meshId,
    rootPublicKey,
    secrets: [secret],
    revocations: NO_REVOCATIONS,
    revocationVersion: 0,
    policy: { rules: [], limits: POLICY_LIMITS_DEFAULT },
    policyVersion: 0,
    verified: new VerifiedCertificates(primitives),
  };
  const self = selfOf(request, keys, random.bytes(16));
  const front = new TcpFront({
    network,
    log: () => {},
    context: () => ({ clock, random, primitives, trust, self }),
  });
  const conduit = await withTimeLimit(
    (until) => front.dial(endpoint, { expect, join: true, signal: until }),
    {
      clock,
      ms: JOIN_DIAL_MS_MAX,
      late: () => new ConnectionError("timeout", `No answer within ${JOIN_DIAL_MS_MAX} ms`),
      signal,
    },
  );
  return new Calls({ conduit, clock, dialled: true });
}

/** Nobody takes it for an identity: it is shown as a request, where only a token counts. */
function selfOf(request: Certificate, keys: JoinKeys, instance: Uint8Array): Self {
  const { keyId, name, signPublicKey, dhPublicKey, notBefore, notAfter, issuerKeyId } = request;
  return {
    identity: {
      keyId,
      type: "node",
      name,
      groups: [],
      unixUser: undefined,
      extensions: request.extensions,
      signPublicKey,
      dhPublicKey,
      notBefore,
      notAfter,
      issuerKeyId,
      certificate: request,
      issuer: undefined,
      chain: [request.bytes],
    },
    signSeed: keys.signSeed,
    dh: { secret: keys.dhSecret, publicKey: dhPublicKey },
    instance,
  };
}
