/**
 * The keys of a mesh as they lie in its home: making a mesh, acting as its user. Keys are fixed-size
 * binary files (mode 0600):
 *
 *   root.key  32  Ed25519 seed          user.key    64  Ed25519 seed, X25519 secret
 *   root.pub  32  Ed25519 public key    issuer.key  64  the same
 *   psk       32
 */

import {
  AuthenticationError,
  defaultPolicy,
  type Identity,
  keyIdOf,
  meshIdOf,
  type MeshSecrets,
  MinimeError,
  NO_REVOCATIONS,
  parseCertificate,
  type Policy,
  POLICY_LIMITS_DEFAULT,
  type Primitives,
  pskIdOf,
  type Random,
  type RevocationList,
  type Self,
  type SignedPolicy,
  type SigningPrimitives,
  type Trust,
  VerifiedCertificates,
  verifyChain,
  verifyMeshSecrets,
  verifyRevocations,
} from "../../core/mod.ts";
import {
  issue,
  KEY_BYTES,
  loadAuthority,
  type Needs,
  publicKeysOf,
  requireKey,
  rootSeedOf,
} from "./authority.ts";
import { USER_MS } from "./limits.ts";
import type { MeshHome } from "./mesh_home.ts";

/** The booting user's group, which may do everything until a policy says otherwise. */
export const OPS_GROUP = "ops";

/** What a user is made of. */
interface UserNeeds extends Needs {
  readonly primitives: Primitives;
  readonly user: string;
  readonly unixUser: string;
}

/**
 * Makes root key, PSK and the user's keys in a home that has none. A full disk may stop it anywhere:
 * root.key comes after what cannot be made again from it, and before the rest.
 */
export async function createCredentials(
  home: MeshHome,
  needs: UserNeeds,
): Promise<void> {
  const { random } = needs;
  if (await home.load("root.key") !== undefined) {
    throw new MinimeError(`Home of mesh "${home.name}" has a root key already`);
  }
  await home.store("psk", random.bytes(KEY_BYTES));
  await home.store("root.key", random.bytes(KEY_BYTES));
  await issueUser(home, needs);
}

/** New keys and a certificate for the user, signed by the root key of the home; root.pub too. */
export async function issueUser(
  home: MeshHome,
  needs: UserNeeds,
): Promise<void> {
  const { primitives, random, user, unixUser } = needs;
  const authority = await loadAuthority(home, primitives);
  rootSeedOf(authority, `a certificate in group "${OPS_GROUP}"`);
  const key = random.bytes(2 * KEY_BYTES);
  const [certificate] = issue(authority, needs, {
    type: "user",
    name: user,
    groups: [OPS_GROUP],
    unixUser,
    validityMs: USER_MS,
    ...publicKeysOf(primitives, key),
  });
  await home.store("root.pub", authority.rootPublicKey);
  await home.store("user.key", key);
  await home.store("user.cert", certificate);
}

/** The user of a home, as far as it takes to sign. */
export interface HomeUser {
  readonly identity: Identity;
  /** Ed25519. */
  readonly signSeed: Uint8Array;
  /** X25519. */
  readonly dhSecret: Uint8Array;
  readonly trust: Trust;
}

/** Who the user of this home is, and what they believe in. Throws when the certificate is not valid. */
export async function loadUser(
  home: MeshHome,
  needs: Needs,
  { allowExpired = false }: { readonly allowExpired?: boolean } = {},
): Promise<HomeUser> {
  const { primitives, now } = needs;
  const [rootPublicKey, psk, key, certificate] = await Promise.all([
    requireKey(home, "root.pub", KEY_BYTES),
    requireKey(home, "psk", KEY_BYTES),
    requireKey(home, "user.key", 2 * KEY_BYTES),
    home.require("user.cert"),
  ]);
  const [revocationList, secretsDocument, chain] = await Promise.all([
    loadRevocations(home, primitives, rootPublicKey),
    loadSecrets(home, primitives, rootPublicKey),
    chainOf(home, { primitives, certificate, rootPublicKey }),
  ]);
  const trust = trustOf({
    primitives,
    rootPublicKey,
    psk,
    policy: defaultPolicy(OPS_GROUP),
    revocationList,
    secretsDocument,
  });
  const identity = verifyChain(primitives, {
    chain,
    rootPublicKey,
    meshId: trust.meshId,
    now,
    revocations: trust.revocations,
    skewMs: POLICY_LIMITS_DEFAULT.clockSkewMs,
    types: ["user"],
    allowExpired,
  });
  const signSeed = key.slice(0, KEY_BYTES);
  if (keyIdOf(primitives, primitives.signPublicKey(signSeed)) !== identity.keyId) {
    throw new AuthenticationError(
      "key-mismatch",
      `"${home.path("user.cert")}" is not for the key in "${home.path("user.key")}"`,
    );
  }
  return { trust, identity, signSeed, dhSecret: key.slice(KEY_BYTES) };
}

/** That user with what it takes to talk over a network, for one start of a program. */
export function selfOf(
  { identity, signSeed, dhSecret }: HomeUser,
  { primitives, random }: {
    readonly primitives: Pick<Primitives, "dhPublicKey">;
    readonly random: Random;
  },
): Self {
  const dh = { secret: dhSecret, publicKey: primitives.dhPublicKey(dhSecret) };
  return { identity, signSeed, dh, instance: random.bytes(16) };
}

/** What somebody believes who knows the root key, the PSK and these documents. */
export function trustOf(options: {
  readonly primitives: SigningPrimitives;
  readonly rootPublicKey: Uint8Array;
  readonly psk: Uint8Array;
  readonly policy: Policy;
  /** The document behind it. @default none */
  readonly policyDocument?: SignedPolicy;
  /** @default none */
  readonly revocationList?: RevocationList | undefined;
  /** @default none: the PSK was never changed */
  readonly secretsDocument?: MeshSecrets | undefined;
}): Trust {
  const {
    primitives,
    rootPublicKey,
    psk,
    policy,
    policyDocument,
    revocationList,
    secretsDocument,
  } = options;
  return {
    meshId: meshIdOf(primitives, rootPublicKey),
    rootPublicKey,
    secrets: [{ id: pskIdOf(primitives, psk), psk }],
    revocations: revocationList ?? NO_REVOCATIONS,
    revocationVersion: revocationList?.version ?? 0,
    policy,
    policyVersion: policyDocument?.version ?? 0,
    ...(policyDocument === undefined ? {} : { policyDocument }),
    ...(revocationList === undefined ? {} : { revocationList }),
    ...(secretsDocument === undefined ? {} : { secretsDocument }),
    verified: new VerifiedCertificates(primitives),
  };
}

/** The list that the home has; undefined when nothing was ever revoked from here. */
export async function loadRevocations(
  home: MeshHome,
  primitives: SigningPrimitives,
  rootPublicKey: Uint8Array,
): Promise<RevocationList | undefined> {
  const bytes = await home.load("revocations.signed");
  if (bytes === undefined) return undefined;
  const meshId = meshIdOf(primitives, rootPublicKey);
  return verifyRevocations(primitives, { bytes, meshId, rootPublicKey });
}

/** The document that changed the PSK last; undefined when it was never changed, as far as we know. */
export async function loadSecrets(
  home: MeshHome,
  primitives: SigningPrimitives,
  rootPublicKey: Uint8Array,
): Promise<MeshSecrets | undefined> {
  const bytes = await home.load("secrets.signed");
  if (bytes === undefined) return undefined;
  const meshId = meshIdOf(primitives, rootPublicKey);
  return verifyMeshSecrets(primitives, { bytes, meshId, rootPublicKey });
}

/** With the issuer's certificate if it is the issuer that signed the user's. */
async function chainOf(
  home: MeshHome,
  parts: {
    readonly primitives: SigningPrimitives;
    readonly certificate: Uint8Array;
    readonly rootPublicKey: Uint8Array;
  },
): Promise<Uint8Array[]> {
  const { primitives, certificate, rootPublicKey } = parts;
  const { issuerKeyId } = parseCertificate(primitives, certificate);
  if (issuerKeyId === keyIdOf(primitives, rootPublicKey)) return [certificate];
  return [certificate, await home.require("issuer.cert")];
}
