/**
 * Who somebody is: a chain of certificates, leaf first, that ends below the mesh's root key. It is
 * root -> leaf or root -> issuer -> leaf and never longer; the root itself is a key and has no
 * certificate. A leaf must lie inside its issuer's constraint.
 *
 * The order of checks is that of SECURITY.md 2: strict parse, chain, validity, revocation. Each
 * failure is an AuthenticationError whose `reason` programs can decide on.
 */
import { AuthenticationError, errorText } from "../errors.ts";
import { MESH_ID_BYTES } from "../limits.ts";
import { equalBytes, toHex } from "../wire/bytes.ts";
import { type Certificate, isSignedBy, keyIdOf, parseCertificate } from "./certificate.ts";
import { checkConstraint } from "./constraint.ts";
import { quote } from "./name.ts";
import type { Primitives } from "../crypto/primitives.ts";
import type { Revocations } from "./revocation.ts";
import type { VerifiedCertificates } from "./verified_certificates.ts";

export type IdentityType = "node" | "user" | "issuer";

/** Somebody whose chain was verified. Tables of identities are keyed by `keyId`, never by name. */
export interface Identity {
  /** Hex of SHA-256(signPublicKey). */
  readonly keyId: string;
  readonly type: IdentityType;
  readonly name: string;
  readonly groups: readonly string[];
  /** As whom this user's programs run where policy says `$user`. */
  readonly unixUser: string | undefined;
  readonly extensions: ReadonlyMap<string, Uint8Array>;
  readonly signPublicKey: Uint8Array;
  readonly dhPublicKey: Uint8Array;
  /** When the whole chain is valid: the later begin and the earlier end of leaf and issuer. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** The key that signed the leaf: an issuer's or the root's. */
  readonly issuerKeyId: string;
  /** The leaf, with its bytes. */
  readonly certificate: Certificate;
  readonly issuer: Certificate | undefined;
  /** The bytes to show to others: leaf first, root never. */
  readonly chain: readonly Uint8Array[];
}

/** Whether two certificates say the same of the same keys, but for their times and who signed them. */
export function isSameSubject(a: Identity, b: Identity): boolean {
  return a.keyId === b.keyId && a.name === b.name && a.type === b.type &&
    equalBytes(a.dhPublicKey, b.dhPublicKey) &&
    [...a.groups].sort().join() === [...b.groups].sort().join();
}

export interface ChainOptions {
  /** Encoded certificates, leaf first; the root is never in it. */
  readonly chain: readonly Uint8Array[];
  readonly rootPublicKey: Uint8Array;
  readonly meshId: Uint8Array;
  /** Unix ms. */
  readonly now: number;
  readonly revocations: Revocations;
  /** What the leaf may be. @default node and user */
  readonly types?: readonly IdentityType[];
  /** How far ahead of ours the clock of who issued may be. @default 0 */
  readonly skewMs?: number;
  /** For renewal only: an expired leaf may come back, of an issuer that has not ended. @default false */
  readonly allowExpired?: boolean;
  /** Saves the curve operations for certificates seen before. @default none */
  readonly cache?: VerifiedCertificates;
}

type Verifier = Pick<Primitives, "sha256" | "verify">;

/** The first 16 bytes of SHA-256("minime-mesh-v1" | root public key). */
export function meshIdOf(
  primitives: Pick<Primitives, "sha256">,
  rootPublicKey: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return primitives.sha256(MESH_ID_PREFIX, rootPublicKey).slice(0, MESH_ID_BYTES);
}

/** Names a mesh PSK without telling it: SHA-256("minime-psk-id-v1" | psk)[0..8]. */
export function pskIdOf(
  primitives: Pick<Primitives, "sha256">,
  psk: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return primitives.sha256(PSK_ID_PREFIX, psk).slice(0, PSK_ID_BYTES);
}

/** The leaf's identity, or AuthenticationError. */
export function verifyChain(primitives: Verifier, options: ChainOptions): Identity {
  const [leaf, issuer] = parseChain(primitives, options);
  const kind = leaf.type;
  if (kind === "request") {
    throw new AuthenticationError(
      "wrong-kind",
      `Certificate of ${quote(leaf.name)} is only a request for one`,
    );
  }
  for (const certificate of issuer ? [issuer, leaf] : [leaf]) checkMesh(certificate, options);
  if (issuer) checkIssuer(leaf, issuer);
  const rootKeyId = keyIdOf(primitives, options.rootPublicKey);
  checkSignature(primitives, issuer ?? leaf, {
    ...options,
    publicKey: options.rootPublicKey,
    keyId: rootKeyId,
    signer: "the mesh's root",
  });
  if (issuer) {
    checkSignature(primitives, leaf, {
      ...options,
      publicKey: issuer.signPublicKey,
      keyId: issuer.keyId,
      signer: `issuer ${quote(issuer.name)}`,
    });
    checkConstraint(leaf, issuer);
  }
  if (issuer) {
    // Whoever finds the key of one that has ended could else sign for ever.
    checkValidity(issuer, { ...options, allowExpired: false });
    checkRevocation(issuer, options);
  }
  checkValidity(leaf, options);
  checkRevocation(leaf, options);
  const types = options.types ?? DEFAULT_TYPES;
  if (!types.includes(kind)) {
    throw new AuthenticationError(
      "wrong-kind",
      `Certificate of ${quote(leaf.name)} is of type ${kind}, wanted is ${types.join(" or ")}`,
    );
  }
  return identityOf(leaf, { kind, issuer });
}

const MESH_ID_PREFIX = new TextEncoder().encode("minime-mesh-v1");
const PSK_ID_PREFIX = new TextEncoder().encode("minime-psk-id-v1");
const PSK_ID_BYTES = 8;
const CHAIN_CERTIFICATES_MAX = 2;
const DEFAULT_TYPES: readonly IdentityType[] = ["node", "user"];

function parseChain(
  primitives: Verifier,
  options: ChainOptions,
): [leaf: Certificate, issuer: Certificate | undefined] {
  const { chain } = options;
  const leafBytes = chain[0];
  if (leafBytes === undefined || chain.length > CHAIN_CERTIFICATES_MAX) {
    throw new AuthenticationError(
      "chain",
      `Chain has ${chain.length} certificates, wanted are 1 to ${CHAIN_CERTIFICATES_MAX}`,
    );
  }
  const issuerBytes = chain[1];
  return [parse(primitives, leafBytes), issuerBytes && parse(primitives, issuerBytes)];
}

function parse(primitives: Verifier, bytes: Uint8Array): Certificate {
  try {
    return parseCertificate(primitives, bytes);
  } catch (cause) {
    throw new AuthenticationError("malformed", errorText(cause), { cause });
  }
}

function checkMesh(certificate: Certificate, options: ChainOptions): void {
  if (equalBytes(certificate.meshId, options.meshId)) return;
  throw new AuthenticationError(
    "wrong-mesh",
    `Certificate of ${quote(certificate.name)} is of mesh ${toHex(certificate.meshId)}, not of ${
      toHex(options.meshId)
    }`,
  );
}

function checkIssuer(leaf: Certificate, issuer: Certificate): void {
  if (issuer.type !== "issuer") {
    throw new AuthenticationError(
      "chain",
      `Certificate of ${quote(leaf.name)} is signed by ${
        quote(issuer.name)
      }, which is a ${issuer.type} and no issuer`,
    );
  }
}

function checkSignature(
  primitives: Verifier,
  certificate: Certificate,
  by: {
    readonly publicKey: Uint8Array;
    readonly keyId: string;
    readonly signer: string;
    readonly cache?: VerifiedCertificates;
  },
): void {
  if (certificate.issuerKeyId !== by.keyId) {
    throw new AuthenticationError(
      "chain",
      `Certificate of ${
        quote(certificate.name)
      } names key ${certificate.issuerKeyId} as its issuer, which is not ${by.signer}`,
    );
  }
  const verify = () => isSignedBy(primitives, { certificate, publicKey: by.publicKey });
  if (by.cache ? by.cache.check(certificate, { by: by.keyId, verify }) : verify()) return;
  throw new AuthenticationError(
    "signature",
    `Certificate of ${quote(certificate.name)} has a signature which is not by ${by.signer}`,
  );
}

function checkValidity(certificate: Certificate, options: ChainOptions): void {
  const { now, skewMs = 0, allowExpired = false } = options;
  // A registrar's issuer has its name, and another end.
  const who = certificate.type === "issuer" ? "issuer " : "";
  const whose = `Certificate of ${who}${quote(certificate.name)}`;
  if (now + skewMs < certificate.notBefore) {
    throw new AuthenticationError(
      "not-yet-valid",
      `${whose} becomes valid in ${seconds(certificate.notBefore - now)}: is a clock wrong`,
    );
  }
  if (now > certificate.notAfter && !allowExpired) {
    throw new AuthenticationError(
      "expired",
      `${whose} expired ${seconds(now - certificate.notAfter)} ago`,
    );
  }
}

function checkRevocation(certificate: Certificate, options: ChainOptions): void {
  if (!options.revocations.isRevoked(certificate.keyId, certificate.notBefore)) return;
  throw new AuthenticationError(
    "revoked",
    `Key ${certificate.keyId} of ${quote(certificate.name)} is revoked`,
  );
}

function identityOf(
  leaf: Certificate,
  options: { kind: IdentityType; issuer: Certificate | undefined },
): Identity {
  const { kind, issuer } = options;
  return {
    keyId: leaf.keyId,
    type: kind,
    name: leaf.name,
    groups: leaf.groups,
    unixUser: leaf.unixUser,
    extensions: leaf.extensions,
    signPublicKey: leaf.signPublicKey,
    dhPublicKey: leaf.dhPublicKey,
    notBefore: Math.max(leaf.notBefore, issuer?.notBefore ?? 0),
    notAfter: Math.min(leaf.notAfter, issuer?.notAfter ?? Infinity),
    issuerKeyId: leaf.issuerKeyId,
    certificate: leaf,
    issuer,
    chain: issuer ? [leaf.bytes, issuer.bytes] : [leaf.bytes],
  };
}

/** Tenths would pretend: for texts about clocks and validity. */
function seconds(ms: number): string {
  return `${Math.ceil(ms / 1_000)} s`;
}
