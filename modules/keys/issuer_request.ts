/**
 * What a registrar asks for when its issuer is exchanged, judged where the root key is. Nothing that it
 * says decides what the new issuer may sign: a certificate of its present issuer counts only if the
 * root made it for this registrar, and then for nothing but the groups that it could give so far.
 */

import type * as v from "valibot";
import {
  CLOCK_SKEW_MS_MAX,
  isSignedBy,
  type IssuerConstraint,
  MinimeError,
  NO_REVOCATIONS,
  parseCertificate,
  type Primitives,
  type Revocations,
  toHex,
  verifyChain,
} from "../../core/mod.ts";
import type { Authority, PublicKeys } from "../shared/authority.ts";
import type { IssuerRequestSchema } from "../shared/renewal_verbs.ts";

/** What an issuer of a registrar may make. */
export const REGISTRAR_TYPES: IssuerConstraint["types"] = ["node"];

/** A request that is in order. */
export interface IssuerRequest extends PublicKeys {
  readonly keyId: string;
  readonly formerKeyId: string;
  /** None of an issuer that was revoked: the registrar may be another machine since. */
  readonly formerGroups: readonly string[];
}

/** @throws MinimeError when it is not this registrar's */
export function checkIssuerRequest(
  reply: v.InferOutput<typeof IssuerRequestSchema>,
  options: {
    readonly primitives: Primitives;
    readonly now: number;
    readonly registrar: string;
    readonly authority: Pick<Authority, "meshId" | "rootPublicKey">;
    readonly revocations: Revocations;
  },
): IssuerRequest {
  const { primitives, now, registrar, authority: { meshId, rootPublicKey }, revocations } = options;
  const request = parseCertificate(primitives, reply.request);
  const { signPublicKey, dhPublicKey, keyId } = request;
  const isOwn = isSignedBy(primitives, { certificate: request, publicKey: signPublicKey });
  if (request.type !== "request" || !isOwn) {
    throw new MinimeError(`Its request, for key ${toHex(signPublicKey)}, is not in order`);
  }
  const { certificate: present } = verifyChain(primitives, {
    chain: [reply.present],
    meshId,
    rootPublicKey,
    now,
    skewMs: CLOCK_SKEW_MS_MAX,
    revocations: NO_REVOCATIONS,
    types: ["issuer"],
    // It may be late: what ends is that the old one signs.
    allowExpired: true,
  });
  const { name, constraint, keyId: formerKeyId, notBefore } = present;
  if (name !== registrar || constraint?.types.join() !== REGISTRAR_TYPES.join()) {
    throw new MinimeError(
      `It shows an issuer "${name}" for ${constraint?.types.join(" and ")}, which is not its own`,
    );
  }
  const isRevoked = revocations.isRevoked(formerKeyId, notBefore);
  const formerGroups = isRevoked ? [] : constraint.groups;
  return { signPublicKey, dhPublicKey, keyId, formerKeyId, formerGroups };
}
