/**
 * The signed request: a user's order to run one verb (or a sequence of them) on named targets, which
 * every target verifies by itself, so that relays need no trust (SECURITY.md 3, 4 and R7). This file
 * is its bytes; what a target checks is verify_request.ts.
 *
 * `arguments` are opaque here: the MessagePack bytes that the user signed, handed on as they came.
 * Several verbs in one request: the verb is {@link SEQUENCE_VERB} and the arguments are an array of
 * [verb, arguments]; the dispatcher decodes and judges each before the first runs.
 */
import { ProtocolError } from "../errors.ts";
import {
  CERTIFICATE_BYTES_MAX,
  KEY_ID_BYTES,
  MESH_ID_BYTES,
  MESSAGE_BYTES_MAX,
  REQUEST_ID_BYTES,
} from "../limits.ts";
import { ByteReader, ByteWriter, toHex } from "../wire/bytes.ts";
import { checkName, isUnixUser, quote } from "./name.ts";
import { type Primitives, SIGNATURE_BYTES } from "../crypto/primitives.ts";

/** The verb of a request that carries several. */
export const SEQUENCE_VERB = "core.sequence";

/** Who must act. Empty lists mean nobody. */
export type Targets =
  | { readonly kind: "names"; readonly names: readonly string[] }
  /** Members of at least one of these, by their own certificates. */
  | { readonly kind: "groups"; readonly groups: readonly string[] }
  | { readonly kind: "all" }
  /** Names too, but the list is carried beside the request: {@link targetsHash}. */
  | { readonly kind: "listed"; readonly hash: Uint8Array };

export interface SignedRequest {
  readonly meshId: Uint8Array;
  /** 32 hex digits. */
  readonly requestId: string;
  /** Unix ms. */
  readonly issuedMs: number;
  /** Unix ms: the latest start. */
  readonly expiresMs: number;
  /** The handshake hash of the only session in which it may be used; undefined: any way will do. */
  readonly bind: Uint8Array | undefined;
  readonly targets: Targets;
  readonly verb: string;
  /** The unix user to run as; empty: what policy makes of `$user`. */
  readonly as: string;
  readonly arguments: Uint8Array;
  readonly signerKeyId: string;
  readonly signature: Uint8Array;
  /** The bytes that the signature covers, as received. */
  readonly signed: Uint8Array;
  /** The signer's certificates, leaf first, neither parsed nor verified. */
  readonly chain: readonly Uint8Array[];
  /** The whole request as received, to be passed on. Nobody may change it. */
  readonly bytes: Uint8Array;
}

export interface RequestFields {
  readonly meshId: Uint8Array;
  /** 16 random bytes. */
  readonly requestId: Uint8Array;
  readonly issuedMs: number;
  readonly expiresMs: number;
  /** 32 bytes. @default none */
  readonly bind?: Uint8Array;
  readonly targets: Targets;
  readonly verb: string;
  /** @default "" */
  readonly as?: string;
  readonly arguments: Uint8Array;
  /** The signer's Ed25519 seed. */
  readonly seed: Uint8Array;
  /** The signer's certificates: leaf, and its issuer unless that is the root. */
  readonly chain: readonly Uint8Array[];
}

/** A request as bytes. Fields that no target would take are a ProtocolError already here. */
export function signRequest(
  primitives: Pick<Primitives, "sha256" | "sign" | "signPublicKey">,
  fields: RequestFields,
): Uint8Array<ArrayBuffer> {
  const [leaf, issuer = NOTHING] = fields.chain;
  if (leaf === undefined || fields.chain.length > 2) {
    throw new ProtocolError(
      `Cannot encode request: its chain has ${fields.chain.length} certificates, wanted are 1 or 2`,
    );
  }
  const writer = new ByteWriter("request", 1_024 + fields.arguments.length)
    .bytes(MAGIC)
    .fixed(fields.meshId, MESH_ID_BYTES, "mesh id")
    .fixed(fields.requestId, REQUEST_ID_BYTES, "request id")
    .u64(fields.issuedMs, "issued_ms")
    .u64(fields.expiresMs, "expires_ms")
    .fixed(fields.bind ?? UNBOUND, BIND_BYTES, "bind");
  writeTargets(writer, fields.targets);
  writer.lp(fields.verb, "verb")
    .lp(fields.as ?? "", "as")
    .u32(fields.arguments.length, "length of arguments")
    .bytes(fields.arguments)
    .bytes(primitives.sha256(primitives.signPublicKey(fields.seed)));
  const signature = primitives.sign(fields.seed, writer.finish());
  const bytes = writer.bytes(signature).lp(leaf, "certificate").lp(issuer, "issuer").finish();
  parseRequest(bytes);
  return bytes;
}

/** Strict: ProtocolError for anything that is not exactly one request. Copies the bytes. */
export function parseRequest(received: Uint8Array): SignedRequest {
  if (received.length > MESSAGE_BYTES_MAX) {
    throw new ProtocolError(
      `Request of ${received.length} bytes is larger than ${MESSAGE_BYTES_MAX}`,
    );
  }
  const bytes = received.slice();
  const reader = new ByteReader(bytes, "Request");
  reader.expect(MAGIC, "magic");
  const meshId = reader.bytes(MESH_ID_BYTES, "mesh id");
  const requestId = toHex(reader.bytes(REQUEST_ID_BYTES, "request id"));
  const issuedMs = reader.u64Number("issued_ms");
  const expiresMs = reader.u64Number("expires_ms");
  if (expiresMs < issuedMs) throw reader.error("expires_ms", "expires before it is issued");
  const session = reader.bytes(BIND_BYTES, "bind");
  const bind = session.some((byte) => byte !== 0) ? session : undefined;
  const targets = readTargets(reader);
  const verb = checkName(reader.lpText("verb"), "Verb of the request");
  const as = reader.lpText("as");
  if (as !== "" && !isUnixUser(as)) throw reader.error("as", `${quote(as)} is no name of a user`);
  const args = reader.bytes(reader.u32("length of arguments"), "arguments");
  const signerKeyId = toHex(reader.bytes(KEY_ID_BYTES, "signer key id"));
  const signed = reader.between(0, reader.offset);
  const signature = reader.bytes(SIGNATURE_BYTES, "signature");
  const chain = [readCertificate(reader, "certificate")];
  const issuer = readCertificate(reader, "issuer");
  if (issuer.length > 0) chain.push(issuer);
  reader.end();
  // deno-fmt-ignore
  return {
    meshId, requestId, issuedMs, expiresMs, bind, targets, verb, as, arguments: args, signerKeyId,
    signature, signed, chain, bytes,
  };
}

/** Stands for a long list of names in a request: SHA-256("minime-targets-v1\0" | u16 count, lp names). */
export function targetsHash(
  primitives: Pick<Primitives, "sha256">,
  names: readonly string[],
): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter("list of targets", 16 * names.length + 32).bytes(TARGETS_MAGIC);
  return primitives.sha256(writer.list16(names, "targets", writeText).finish());
}

const MAGIC = new TextEncoder().encode("minime-req-v1\0");
const TARGETS_MAGIC = new TextEncoder().encode("minime-targets-v1\0");
const BIND_BYTES = 32;
const UNBOUND = new Uint8Array(BIND_BYTES);
const NOTHING = new Uint8Array(0);
const TARGET_HASH_BYTES = 32;

/** The index is the byte on the wire; grows only at the end. */
const TARGET_KINDS = [undefined, "names", "groups", "all", "listed"] as const;

function writeTargets(writer: ByteWriter, targets: Targets): void {
  writer.u8(TARGET_KINDS.indexOf(targets.kind), "target kind");
  switch (targets.kind) {
    case "names":
      writer.list16(targets.names, "targets", writeText);
      return;
    case "groups":
      writer.list16(targets.groups, "targets", writeText);
      return;
    case "all":
      writer.u16(0, "count of targets");
      return;
    case "listed":
      writer.u16(1, "count of targets")
        .lp(targets.hash, "hash of targets");
      return;
  }
}

function writeText(writer: ByteWriter, text: string): void {
  writer.lp(text, "target");
}

function readTargets(reader: ByteReader): Targets {
  const code = reader.u8("target kind");
  const kind = TARGET_KINDS[code];
  if (kind === undefined) throw reader.error("target kind", `unknown kind ${code}`);
  if (kind === "names" || kind === "groups") {
    const texts = reader.list16(
      "targets",
      () => checkName(reader.lpText("target"), "Target of the request"),
    );
    return kind === "names" ? { kind, names: texts } : { kind, groups: texts };
  }
  const count = reader.u16("count of targets");
  const wanted = kind === "all" ? 0 : 1;
  if (count !== wanted) throw reader.error("targets", `${count} targets for kind "${kind}"`);
  if (kind === "all") return { kind };
  const hash = reader.lp("hash of targets");
  if (hash.length !== TARGET_HASH_BYTES) throw reader.error("hash of targets", "wrong length");
  return { kind, hash };
}

function readCertificate(reader: ByteReader, field: string): Uint8Array {
  const bytes = reader.lp(field);
  if (bytes.length > CERTIFICATE_BYTES_MAX) {
    throw reader.error(field, `${bytes.length} bytes, ${CERTIFICATE_BYTES_MAX} is the most`);
  }
  return bytes;
}
