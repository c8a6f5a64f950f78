/**
 * A user's certificate that goes on: another one for the same key, name and groups, for as long. Where
 * the root key lies beside it that gives nobody anything which they do not have already, so commands
 * do it by themselves at two thirds of the life. Elsewhere an operator has to say yes: registrars
 * cannot sign for people, and a key that has leaked must not live on by itself.
 */

import {
  AuthenticationError,
  type Certificate,
  parseCertificate,
  type SigningPrimitives,
  UsageError,
} from "../../core/mod.ts";
import { type Authority, issue, loadAuthority, type Needs, rootSeedOf } from "./authority.ts";
import { loadRevocations, loadUser, OPS_GROUP } from "./credentials.ts";
import { formatDuration } from "./duration.ts";
import { USER_MS, USER_RENEWAL_MS } from "./limits.ts";
import type { KnownUser, MeshHome } from "./mesh_home.ts";

/** When it begins and ends, in unix ms. */
type Life = Pick<Certificate, "notBefore" | "notAfter">;

/** Whether people are told: in its last week, and of a shorter one in the last third. */
export function isUserEnding({ notBefore, notAfter }: Life, now: number): boolean {
  return notAfter - now < Math.min(USER_RENEWAL_MS, (notAfter - notBefore) / 3);
}

/** A life that a user's certificate may have. @throws UsageError */
export function checkUserLife(ms: number): number {
  if (ms <= USER_MS) return ms;
  const [most, given] = [formatDuration(USER_MS), formatDuration(ms)];
  throw new UsageError(`A certificate of a person is valid for ${most} at most, not ${given}`, {
    hint: 'It can be renewed: "minime user renew NAME"',
  });
}

/**
 * The home's own user, also one whose certificate has expired; nobody who is revoked.
 *
 * @throws MinimeError where the home has neither root key nor issuer, and for what its issuer may not sign
 */
export async function renewUser(home: MeshHome, needs: Needs): Promise<void> {
  const { identity } = await loadUser(home, needs, { allowExpired: true });
  const authority = await loadAuthority(home, needs.primitives);
  const [certificate] = issueUserAgain(authority, needs, identity.certificate);
  await home.store("user.cert", certificate);
}

/** Somebody who got a certificate from this home; of several keys the one made last. */
export async function renewOther(
  home: MeshHome,
  needs: Needs,
  { name, authority }: { readonly name: string; readonly authority: Authority },
): Promise<readonly [certificate: Uint8Array, issuer?: Uint8Array]> {
  const { primitives } = needs;
  const all = (await home.users()).filter((user) => user.name === name);
  const revocations = await loadRevocations(home, primitives, authority.rootPublicKey);
  const living = all.filter(({ keyId }) => revocations?.isRevoked(keyId, needs.now) !== true);
  const known = living.findLast(({ certificate }) => certificate !== undefined);
  if (known?.certificate === undefined) {
    const made = `minime user add ${name} --out FOLDER`;
    if (all.length === 0) {
      throw new UsageError(`Nobody called "${name}" got a certificate from here`, {
        hint: `Give them one: ${made}`,
      });
    }
    if (living.length === 0) {
      throw new AuthenticationError("revoked", `All keys of "${name}" are revoked`);
    }
    throw new UsageError(`The certificate of "${name}" was made by an older minime, and not kept`, {
      hint: `Give them another key: ${made}`,
    });
  }
  const before = parseCertificate(primitives, Uint8Array.fromBase64(known.certificate));
  const [certificate, issuer] = issueUserAgain(authority, needs, before);
  await noteUser(home, primitives, certificate);
  return issuer === undefined ? [certificate] : [certificate, issuer];
}

/** Before it leaves: from then on it can be revoked and renewed by its name. */
export async function noteUser(
  home: MeshHome,
  primitives: SigningPrimitives,
  certificate: Uint8Array,
): Promise<KnownUser> {
  const { name, keyId, groups, notBefore: made } = parseCertificate(primitives, certificate);
  const user = { name, keyId, groups: [...groups], made, certificate: certificate.toBase64() };
  await home.storeUsers([...(await home.users()).filter((one) => one.keyId !== keyId), user]);
  return user;
}

function issueUserAgain(
  authority: Authority,
  needs: Needs,
  certificate: Certificate,
): readonly [leaf: Uint8Array, ...above: Uint8Array[]] {
  const { name, groups, unixUser, signPublicKey, dhPublicKey, notBefore, notAfter } = certificate;
  if (groups.includes(OPS_GROUP)) rootSeedOf(authority, `a certificate in group "${OPS_GROUP}"`);
  return issue(authority, needs, {
    type: "user",
    name,
    groups,
    ...(unixUser === undefined ? {} : { unixUser }),
    validityMs: Math.min(USER_MS, notAfter - notBefore),
    signPublicKey,
    dhPublicKey,
  });
}
