/**
 * Who may sign certificates of a mesh, as the home holds it: the root key, or an issuer that stands
 * in for it where the root key was taken away. Every certificate that is signed here is verified
 * before anybody gets it, so what an issuer may not sign is refused where somebody reads why.
 */

import {
  type CertificateFields,
  type Environment,
  type IssuerConstraint,
  meshIdOf,
  MinimeError,
  NO_REVOCATIONS,
  type Primitives,
  type Random,
  signCertificate,
  type SigningPrimitives,
  UsageError,
  verifyChain,
  verifyMeshSecrets,
} from "../../core/mod.ts";
import { BOOTED_NODE_MS } from "./limits.ts";
import type { MeshHome } from "./mesh_home.ts";

/** A key of either kind, as seed or public half. */
export const KEY_BYTES = 32;

/** What signing takes besides keys. */
export interface Needs {
  readonly primitives: SigningPrimitives;
  readonly random: Random;
  /** Unix ms. */
  readonly now: number;
}

/** As of now. */
export function needsNow<P extends SigningPrimitives>(
  env: Pick<Environment, "clock" | "random">,
  primitives: P,
): Needs & { readonly primitives: P } {
  return { primitives, random: env.random, now: Math.floor(env.clock.now()) };
}

/** What a home can sign with; at least one of root and issuer is there. */
export interface Authority {
  readonly meshId: Uint8Array;
  readonly rootPublicKey: Uint8Array;
  readonly psk: Uint8Array;
  readonly rootSeed?: Uint8Array;
  readonly issuer?: IssuerKey;
}

/** An issuer in use. */
export interface IssuerKey {
  readonly seed: Uint8Array;
  /** Its certificate, signed by the root. */
  readonly certificate: Uint8Array;
}

/** Keys of whom a certificate is for. */
export interface PublicKeys {
  /** Ed25519. */
  readonly signPublicKey: Uint8Array;
  /** X25519. */
  readonly dhPublicKey: Uint8Array;
}

/** What the certificate is to say. */
export interface Wanted extends PublicKeys {
  readonly type: "node" | "user" | "issuer";
  readonly name: string;
  readonly groups: readonly string[];
  readonly validityMs: number;
  readonly unixUser?: string;
  readonly constraint?: IssuerConstraint;
}

/** Root key or issuer, and the newest PSK, of a home. Throws MinimeError when a file is missing or cut. */
export async function loadAuthority(
  home: MeshHome,
  primitives: SigningPrimitives,
): Promise<Authority> {
  const first = await requireKey(home, "psk", KEY_BYTES);
  const psk = async (verifying: { meshId: Uint8Array; rootPublicKey: Uint8Array }) => {
    const bytes = await home.load("secrets.signed");
    return bytes === undefined
      ? first
      : verifyMeshSecrets(primitives, { ...verifying, bytes }).secret.psk;
  };
  const issuer = await loadIssuer(home);
  if (await home.load("root.key") === undefined && issuer !== undefined) {
    const rootPublicKey = await requireKey(home, "root.pub", KEY_BYTES);
    const root = { meshId: meshIdOf(primitives, rootPublicKey), rootPublicKey };
    return { ...root, psk: await psk(root), issuer };
  }
  const rootSeed = await requireKey(home, "root.key", KEY_BYTES);
  const rootPublicKey = primitives.signPublicKey(rootSeed);
  const meshId = meshIdOf(primitives, rootPublicKey);
  const root = { meshId, rootPublicKey };
  return { ...root, psk: await psk(root), rootSeed, ...(issuer === undefined ? {} : { issuer }) };
}

/** For what only the root may sign. @throws UsageError where the root key is not */
export function rootSeedOf(authority: Authority, what: string): Uint8Array {
  if (authority.rootSeed !== undefined) return authority.rootSeed;
  throw new UsageError(`Only the root key may sign ${what}, and this home has none`, {
    hint: "Run this where root.key is kept",
  });
}

/**
 * A certificate and those above it, leaf first. Not backdated: a daemon refuses requests issued
 * before its certificate, which an earlier life of the same name may have executed. Clocks that are
 * behind are covered by the skew that verifiers allow.
 */
export function issue(
  authority: Authority,
  { primitives, random, now }: Needs,
  wanted: Wanted,
): [leaf: Uint8Array, ...above: Uint8Array[]] {
  const { validityMs, ...named } = wanted;
  const byIssuer = authority.rootSeed === undefined ? authority.issuer : undefined;
  const issuerSeed = byIssuer?.seed ?? rootSeedOf(authority, `"${wanted.name}"`);
  const fields: CertificateFields = {
    ...named,
    serial: new DataView(random.bytes(8).buffer).getBigUint64(0),
    meshId: authority.meshId,
    notBefore: now,
    notAfter: now + validityMs,
  };
  const leaf = signCertificate(primitives, { issuerSeed, fields }).bytes;
  const chain: [Uint8Array, ...Uint8Array[]] = byIssuer === undefined
    ? [leaf]
    : [leaf, byIssuer.certificate];
  verifyChain(primitives, {
    chain,
    rootPublicKey: authority.rootPublicKey,
    meshId: authority.meshId,
    now,
    revocations: NO_REVOCATIONS,
    types: [wanted.type],
  });
  return chain;
}

/** The chain of a node for the keys in its request; name and groups are the issuer's decision. */
export function issueNode(
  authority: Authority,
  options: Needs & PublicKeys & {
    readonly name: string;
    readonly groups: readonly string[];
    /** @default that of a node which boot starts */
    readonly validityMs?: number;
  },
): [leaf: Uint8Array, ...above: Uint8Array[]] {
  const { name, groups, signPublicKey, dhPublicKey, validityMs = BOOTED_NODE_MS } = options;
  return issue(authority, options, {
    type: "node",
    name,
    groups,
    signPublicKey,
    dhPublicKey,
    validityMs,
  });
}

/** Both public halves of a key file that holds Ed25519 seed and X25519 secret. */
export function publicKeysOf(
  primitives: Pick<Primitives, "signPublicKey" | "dhPublicKey">,
  key: Uint8Array,
): PublicKeys {
  return {
    signPublicKey: primitives.signPublicKey(key.subarray(0, KEY_BYTES)),
    dhPublicKey: primitives.dhPublicKey(key.subarray(KEY_BYTES)),
  };
}

/** @throws MinimeError for a file that is missing or has another length */
export async function requireKey(
  home: MeshHome,
  file: "root.key" | "root.pub" | "psk" | "user.key" | "issuer.key",
  bytes: number,
): Promise<Uint8Array> {
  const key = await home.require(file);
  if (key.length === bytes) return key;
  throw new MinimeError(
    `"${home.path(file)}" has ${key.length} bytes, a key has ${bytes}: restore it from a backup`,
  );
}

async function loadIssuer(home: MeshHome): Promise<IssuerKey | undefined> {
  if (await home.load("issuer.key") === undefined) return undefined;
  const key = await requireKey(home, "issuer.key", 2 * KEY_BYTES);
  return { seed: key.slice(0, KEY_BYTES), certificate: await home.require("issuer.cert") };
}
