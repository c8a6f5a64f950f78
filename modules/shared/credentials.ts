/**
 * The keys of a mesh as they lie in its home, and what they are good for: making a mesh, issuing
 * certificates with the root key, acting as the user. Keys are fixed-size binary files (mode 0600):
 *
 *   root.key  32  Ed25519 seed          user.key  64  Ed25519 seed, X25519 secret
 *   root.pub  32  Ed25519 public key    psk       32
 */

import {
  AuthenticationError,
  defaultPolicy,
  keyIdOf,
  meshIdOf,
  MinimeError,
  NO_REVOCATIONS,
  type Policy,
  POLICY_LIMITS_DEFAULT,
  type Primitives,
  pskIdOf,
  type Random,
  type Self,
  signCertificate,
  type Trust,
  VerifiedCertificates,
  verifyChain,
} from "../../core/mod.ts";
import type { MeshHome } from "./mesh_home.ts";

const DAY_MS = 86_400_000;
/** SECURITY.md 2: what boot issues, and to whom. */
const NODE_VALIDITY_MS = 30 * DAY_MS;
const USER_VALIDITY_MS = 30 * DAY_MS;
/** The booting user's group, which may do everything until a policy says otherwise. */
export const OPS_GROUP = "ops";

const KEY_BYTES = 32;

export interface Needs {
  readonly primitives: Primitives;
  readonly random: Random;
  /** Unix ms. */
  readonly now: number;
}

/** The root key in use: signs certificates and documents. */
export interface Authority {
  readonly meshId: Uint8Array;
  readonly rootSeed: Uint8Array;
  readonly rootPublicKey: Uint8Array;
  readonly psk: Uint8Array;
}

/**
 * Makes root key, PSK and the user's keys in a home that has none. A full disk may stop it anywhere:
 * root.key comes after what cannot be made again from it, and before the rest.
 */
export async function createCredentials(
  home: MeshHome,
  needs: Needs & { readonly user: string; readonly unixUser: string },
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
  needs: Needs & { readonly user: string; readonly unixUser: string },
): Promise<void> {
  const { primitives, random, now } = needs;
  const authority = await loadAuthority(home, primitives);
  const key = random.bytes(2 * KEY_BYTES);
  const certificate = signCertificate(primitives, {
    issuerSeed: authority.rootSeed,
    fields: {
      type: "user",
      serial: serialOf(random),
      meshId: authority.meshId,
      name: needs.user,
      signPublicKey: primitives.signPublicKey(key.subarray(0, KEY_BYTES)),
      dhPublicKey: primitives.dhPublicKey(key.subarray(KEY_BYTES)),
      notBefore: now,
      notAfter: now + USER_VALIDITY_MS,
      groups: [OPS_GROUP],
      unixUser: needs.unixUser,
    },
  });
  await home.store("root.pub", authority.rootPublicKey);
  await home.store("user.key", key);
  await home.store("user.cert", certificate.bytes);
}

/** The root key and the PSK of a home. Throws MinimeError when a file is missing or cut. */
export async function loadAuthority(
  home: MeshHome,
  primitives: Primitives,
): Promise<Authority> {
  const rootSeed = await requireKey(home, "root.key", KEY_BYTES);
  const rootPublicKey = primitives.signPublicKey(rootSeed);
  return {
    rootSeed,
    rootPublicKey,
    meshId: meshIdOf(primitives, rootPublicKey),
    psk: await requireKey(home, "psk", KEY_BYTES),
  };
}

/**
 * A node's certificate for the keys in its request; name and groups are the issuer's decision. Not
 * backdated: a daemon refuses requests issued before its certificate, which an earlier life of the
 * same name may have executed. Clocks that are behind are covered by the skew that verifiers allow.
 */
export function issueNode(
  authority: Authority,
  options: Needs & {
    readonly name: string;
    readonly groups: readonly string[];
    readonly signPublicKey: Uint8Array;
    readonly dhPublicKey: Uint8Array;
  },
): Uint8Array {
  const { primitives, now, name, groups, signPublicKey, dhPublicKey } = options;
  return signCertificate(primitives, {
    issuerSeed: authority.rootSeed,
    fields: {
      type: "node",
      serial: serialOf(options.random),
      meshId: authority.meshId,
      name,
      groups,
      signPublicKey,
      dhPublicKey,
      notBefore: now,
      notAfter: now + NODE_VALIDITY_MS,
    },
  }).bytes;
}

/** Who the user of this home is, and what they believe in. Throws when the certificate is not valid. */
export async function loadUser(
  home: MeshHome,
  needs: Needs,
): Promise<{ readonly self: Self; readonly trust: Trust }> {
  const { primitives, random, now } = needs;
  const rootPublicKey = await requireKey(home, "root.pub", KEY_BYTES);
  const psk = await requireKey(home, "psk", KEY_BYTES);
  const key = await requireKey(home, "user.key", 2 * KEY_BYTES);
  const trust = trustOf({ primitives, rootPublicKey, psk, policy: defaultPolicy(OPS_GROUP) });
  const issuer = await home.load("issuer.cert");
  const certificate = await home.require("user.cert");
  const identity = verifyChain(primitives, {
    chain: issuer === undefined ? [certificate] : [certificate, issuer],
    rootPublicKey,
    meshId: trust.meshId,
    now,
    revocations: NO_REVOCATIONS,
    skewMs: POLICY_LIMITS_DEFAULT.clockSkewMs,
    types: ["user"],
  });
  const secret = key.slice(KEY_BYTES);
  const signSeed = key.slice(0, KEY_BYTES);
  if (keyIdOf(primitives, primitives.signPublicKey(signSeed)) !== identity.keyId) {
    throw new AuthenticationError(
      "key-mismatch",
      `"${home.path("user.cert")}" is not for the key in "${home.path("user.key")}"`,
    );
  }
  return {
    trust,
    self: {
      identity,
      signSeed,
      dh: { secret, publicKey: primitives.dhPublicKey(secret) },
      instance: random.bytes(16),
    },
  };
}

/** What somebody believes who knows the root key and the PSK, and of no revocation. */
export function trustOf(options: {
  readonly primitives: Primitives;
  readonly rootPublicKey: Uint8Array;
  readonly psk: Uint8Array;
  readonly policy: Policy;
  readonly policyVersion?: number;
}): Trust {
  const { primitives, rootPublicKey, psk, policy, policyVersion = 0 } = options;
  return {
    meshId: meshIdOf(primitives, rootPublicKey),
    rootPublicKey,
    secrets: [{ id: pskIdOf(primitives, psk), psk }],
    revocations: NO_REVOCATIONS,
    revocationVersion: 0,
    policy,
    policyVersion,
    verified: new VerifiedCertificates(primitives),
  };
}

async function requireKey(
  home: MeshHome,
  file: "root.key" | "root.pub" | "psk" | "user.key",
  bytes: number,
): Promise<Uint8Array> {
  const key = await home.require(file);
  if (key.length === bytes) return key;
  throw new MinimeError(
    `"${home.path(file)}" has ${key.length} bytes, a key has ${bytes}: restore it from a backup`,
  );
}

function serialOf(random: Random): bigint {
  return new DataView(random.bytes(8).buffer).getBigUint64(0);
}
