/**
 * The certificate of a node, user or issuer, and the request for one (type 0, signed with its own
 * key): bytes as SECURITY.md 4 lays them out. Parsing proves only that the bytes follow the format
 * and its rules R3, R4 and R12; who signed them, and whether they are valid now, is chain.ts.
 *
 * Surprising: a certificate keeps the bytes it came as, and its signature is verified over those;
 * nothing is ever encoded again to be verified. Key ids are text outside of documents: 64 hex digits.
 */
import { ProtocolError } from "../errors.ts";
import { CERTIFICATE_BYTES_MAX, KEY_ID_BYTES, MESH_ID_BYTES } from "../limits.ts";
import { ByteReader, ByteWriter, toHex } from "../wire/bytes.ts";
import { checkName, isNamePattern, isUnixUser, quote } from "./name.ts";
import { type Primitives, SIGNATURE_BYTES } from "../crypto/primitives.ts";
import { isSmallOrderDhKey, isSmallOrderPoint } from "../crypto/small_order.ts";

/** The index is the byte on the wire; grows only at the end. */
export const CERTIFICATE_TYPES = ["request", "node", "user", "issuer"] as const;
export type CertificateType = (typeof CERTIFICATE_TYPES)[number];

/** What an issuer may sign: the critical option "issue". Empty lists mean none. */
export interface IssuerConstraint {
  readonly types: readonly ("node" | "user")[];
  /** Names, and unix users, that leaves may have; `*` stands for any characters. */
  readonly namePatterns: readonly string[];
  readonly groups: readonly string[];
  /** From not_before to not_after of a leaf. */
  readonly longestValidityMs: number;
}

export interface Certificate {
  readonly type: CertificateType;
  readonly serial: bigint;
  /** 16 bytes. A request may hold zeros: who asks need not know the mesh yet. */
  readonly meshId: Uint8Array;
  readonly name: string;
  /** Ed25519. */
  readonly signPublicKey: Uint8Array;
  /** X25519, the static key in Noise. */
  readonly dhPublicKey: Uint8Array;
  /** Unix ms, both included. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly groups: readonly string[];
  /** Issuers have one, others never. */
  readonly constraint: IssuerConstraint | undefined;
  /** Unknown ones are kept unread. */
  readonly extensions: ReadonlyMap<string, Uint8Array>;
  /** The extension "unix-user": as whom the user's programs run where policy says `$user`. */
  readonly unixUser: string | undefined;
  /** Hex of SHA-256(signPublicKey): who this is, whatever certificate they show. */
  readonly keyId: string;
  readonly issuerKeyId: string;
  readonly signature: Uint8Array;
  /** The bytes before the signature, as received. */
  readonly signed: Uint8Array;
  /** The whole certificate as received. Nobody may change it. */
  readonly bytes: Uint8Array;
}

/** What {@link signCertificate} needs to know. */
export interface CertificateFields {
  readonly type: CertificateType;
  readonly serial: bigint;
  readonly meshId: Uint8Array;
  readonly name: string;
  readonly signPublicKey: Uint8Array;
  readonly dhPublicKey: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly groups: readonly string[];
  readonly constraint?: IssuerConstraint;
  readonly unixUser?: string;
  /** Besides "unix-user". */
  readonly extensions?: ReadonlyMap<string, Uint8Array>;
}

type Hash = Pick<Primitives, "sha256">;
type Signer = Pick<Primitives, "sha256" | "sign" | "signPublicKey">;

/** Hex of SHA-256 of an Ed25519 public key. */
export function keyIdOf(primitives: Hash, signPublicKey: Uint8Array): string {
  return toHex(primitives.sha256(signPublicKey));
}

/**
 * Signs with the issuer's (root's, or for a request the subject's own) Ed25519 seed. The result went
 * through the parser, so fields that break a rule are a ProtocolError here and not at the reader.
 */
export function signCertificate(
  primitives: Signer,
  options: { readonly fields: CertificateFields; readonly issuerSeed: Uint8Array },
): Certificate {
  const { fields, issuerSeed } = options;
  const issuerKeyId = primitives.sha256(primitives.signPublicKey(issuerSeed));
  const writer = new ByteWriter("certificate", 512);
  writer.bytes(MAGIC)
    .u8(CERTIFICATE_TYPES.indexOf(fields.type), "type")
    .u64(fields.serial, "serial")
    .fixed(fields.meshId, MESH_ID_BYTES, "mesh id")
    .lp(fields.name, "name")
    .fixed(fields.signPublicKey, 32, "signing key")
    .fixed(fields.dhPublicKey, 32, "DH key")
    .u64(fields.notBefore, "not_before")
    .u64(fields.notAfter, "not_after")
    .list(fields.groups, "groups", (out, group) => out.lp(group, "group"))
    .list(criticalOf(fields), "critical options", writePair)
    .list(extensionsOf(fields), "extensions", writePair)
    .fixed(issuerKeyId, KEY_ID_BYTES, "issuer key id");
  const signature = primitives.sign(issuerSeed, writer.finish());
  return parseCertificate(primitives, writer.bytes(signature).finish());
}

/** Strict: ProtocolError for anything that is not exactly one certificate. Copies the bytes. */
export function parseCertificate(primitives: Hash, received: Uint8Array): Certificate {
  if (received.length > CERTIFICATE_BYTES_MAX) {
    throw new ProtocolError(
      `Certificate of ${received.length} bytes is larger than ${CERTIFICATE_BYTES_MAX}`,
    );
  }
  const bytes = received.slice();
  const reader = new ByteReader(bytes, "Certificate");
  reader.expect(MAGIC, "magic");
  const type = readType(reader);
  const serial = reader.u64("serial");
  const meshId = reader.bytes(MESH_ID_BYTES, "mesh id");
  const name = checkName(reader.lpText("name"), "Name of the certificate");
  const signPublicKey = reader.bytes(32, "signing key");
  if (isSmallOrderPoint(signPublicKey)) {
    throw reader.error("signing key", "Ed25519 key of small order");
  }
  const dhPublicKey = reader.bytes(32, "DH key");
  if (isSmallOrderDhKey(dhPublicKey)) throw reader.error("DH key", "X25519 key of small order");
  const notBefore = reader.u64Number("not_before");
  const notAfter = reader.u64Number("not_after");
  if (notAfter < notBefore) throw reader.error("not_after", "ends before it begins");
  const groups = readGroups(reader);
  const constraint = constraintOf(reader, { type, critical: readPairs(reader, "critical option") });
  const extensions = readPairs(reader, "extension");
  const issuerKeyId = toHex(reader.bytes(KEY_ID_BYTES, "issuer key id"));
  const signed = reader.between(0, reader.offset);
  const signature = reader.bytes(SIGNATURE_BYTES, "signature");
  reader.end();
  const keyId = keyIdOf(primitives, signPublicKey);
  const unixUser = unixUserOf(extensions);
  // deno-fmt-ignore
  return {
    type, serial, meshId, name, signPublicKey, dhPublicKey, notBefore, notAfter, groups, constraint,
    extensions, unixUser, keyId, issuerKeyId, signature, signed, bytes,
  };
}

/** Whether the signature over the received bytes was made by this key. */
export function isSignedBy(
  primitives: Pick<Primitives, "verify">,
  options: { readonly certificate: Certificate; readonly publicKey: Uint8Array },
): boolean {
  const { certificate, publicKey } = options;
  return primitives.verify(publicKey, certificate.signed, certificate.signature);
}

const MAGIC = new TextEncoder().encode("minime-cert-v1\0");
const OPTION_ISSUE = "issue";
const EXTENSION_UNIX_USER = "unix-user";

type Pair = readonly [string, Uint8Array];

function criticalOf(fields: CertificateFields): Pair[] {
  return fields.constraint ? [[OPTION_ISSUE, encodeConstraint(fields.constraint)]] : [];
}

function extensionsOf(fields: CertificateFields): Pair[] {
  const pairs: Pair[] = [...fields.extensions ?? []];
  if (fields.unixUser !== undefined) {
    pairs.push([EXTENSION_UNIX_USER, new TextEncoder().encode(fields.unixUser)]);
  }
  return pairs;
}

function writePair(writer: ByteWriter, [key, value]: Pair): void {
  writer.lp(key, "key").lp(value, `value of ${quote(key)}`);
}

function encodeConstraint(constraint: IssuerConstraint): Uint8Array {
  return new ByteWriter("issuer's constraint")
    .list(constraint.types, "types", (out, type) => out.u8(CERTIFICATE_TYPES.indexOf(type), "type"))
    .list(constraint.namePatterns, "name patterns", (out, pattern) => out.lp(pattern, "pattern"))
    .list(constraint.groups, "groups", (out, group) => out.lp(group, "group"))
    .u64(constraint.longestValidityMs, "longest validity")
    .finish();
}

function readType(reader: ByteReader): CertificateType {
  const code = reader.u8("type");
  const type = CERTIFICATE_TYPES[code];
  if (type === undefined) throw reader.error("type", `unknown type ${code}`);
  return type;
}

function readGroups(reader: ByteReader): readonly string[] {
  return reader.list("groups", () => checkName(reader.lpText("group"), "Group of a certificate"));
}

function readPairs(reader: ByteReader, field: string): ReadonlyMap<string, Uint8Array> {
  const pairs = new Map<string, Uint8Array>();
  reader.list(field, () => {
    const key = checkName(reader.lpText(field), `Key of a certificate's ${field}`);
    if (pairs.has(key)) throw reader.error(field, `${quote(key)} comes twice`);
    pairs.set(key, reader.lp(field));
  });
  return pairs;
}

function constraintOf(
  reader: ByteReader,
  options: { type: CertificateType; critical: ReadonlyMap<string, Uint8Array> },
): IssuerConstraint | undefined {
  const { type, critical } = options;
  for (const key of critical.keys()) {
    if (key !== OPTION_ISSUE) {
      throw reader.error("critical option", `unknown critical option ${quote(key)}`);
    }
  }
  const issue = critical.get(OPTION_ISSUE);
  if (type === "issuer" && issue === undefined) {
    throw reader.error("critical option", `issuer without the critical option "issue"`);
  }
  if (type !== "issuer" && issue !== undefined) {
    throw reader.error("critical option", `only an issuer may have the critical option "issue"`);
  }
  return issue && readConstraint(issue);
}

function readConstraint(bytes: Uint8Array): IssuerConstraint {
  const reader = new ByteReader(bytes, "Issuer's constraint");
  const types = reader.list("types", () => {
    const type = readType(reader);
    if (type !== "node" && type !== "user") {
      throw reader.error("types", `an issuer cannot issue type ${quote(type)}`);
    }
    return type;
  });
  const namePatterns = reader.list("name patterns", () => {
    const pattern = reader.lpText("name pattern");
    if (!isNamePattern(pattern)) throw reader.error("name pattern", `${quote(pattern)} is none`);
    return pattern;
  });
  const groups = readGroups(reader);
  const longestValidityMs = reader.u64Number("longest validity");
  reader.end();
  return { types, namePatterns, groups, longestValidityMs };
}

// Latin-1 keeps every byte: what is no unix user stays none, and never throws.
function unixUserOf(extensions: ReadonlyMap<string, Uint8Array>): string | undefined {
  const bytes = extensions.get(EXTENSION_UNIX_USER);
  if (bytes === undefined) return undefined;
  const text = String.fromCharCode(...bytes.subarray(0, CERTIFICATE_BYTES_MAX));
  if (!isUnixUser(text)) {
    throw new ProtocolError(`Certificate's unix user ${quote(text)} is no name of a user`);
  }
  return text;
}
