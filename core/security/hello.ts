/**
 * What both sides say of themselves inside the handshake (SECURITY.md 4, "hello"), and the preamble
 * that goes before it in clear. Pure bytes.
 */

import { ProtocolError } from "../errors.ts";
import { CERTIFICATE_BYTES_MAX, FRAME_BYTES_MAX } from "../limits.ts";
import { ByteReader, ByteWriter } from "../wire/bytes.ts";

/** Grows only at the end. */
export const CONDUIT_KIND = { link: 1, join: 2, endToEnd: 3, client: 4 } as const;
export type ConduitKind = (typeof CONDUIT_KIND)[keyof typeof CONDUIT_KIND];

/** Bytes of the preamble, and of the initiator's whole first message. */
export const PREAMBLE_BYTES = 16;
export const FIRST_MESSAGE_BYTES = PREAMBLE_BYTES + 2 + 48;

const MAGIC = new TextEncoder().encode("MNM1");
const PROLOGUE = new TextEncoder().encode("minime-noise-v1\0");
const HELLO_VERSION = 1;
const CHAIN_MAX = 2;
const EXTENSIONS_MAX = 16;
const EXTENSION_BYTES_MAX = 256;
/** The conduit is the bulk half of a link. */
const EXTENSION_BULK = 1;
/** The conduit is no link: it was dialled for some messages, and ends when nobody needs it. */
const EXTENSION_ON_DEMAND = 2;
/** The version of the document that changed the PSK last: clients are told of it by it. */
const EXTENSION_SECRETS = 3;
/** What of the protocol the sender knows that came to it later. */
const EXTENSION_REVISION = 4;
const NO_BYTES = new Uint8Array(0);

export interface Hello {
  /** Encoded certificates, leaf first, root never. */
  readonly chain: readonly Uint8Array[];
  /** 16 bytes. */
  readonly instance: Uint8Array;
  /** The sender's wall clock. */
  readonly unixMs: number;
  readonly revocationVersion: number;
  readonly policyVersion: number;
  /** 0: the PSK was never changed. */
  readonly secretsVersion: number;
  readonly oldest: number;
  readonly newest: number;
  readonly bulk: boolean;
  readonly onDemand: boolean;
  /** Of the newest protocol that it speaks, see REVISION; 0: as it was at first. */
  readonly revision: number;
}

export function encodeHello(hello: Hello): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter("Hello", 1_024);
  writer.u8(HELLO_VERSION, "version").u8(hello.chain.length, "chain");
  for (const certificate of hello.chain) writer.lp(certificate, "certificate");
  writer.fixed(hello.instance, 16, "instance")
    .u64(hello.unixMs, "time")
    .u64(hello.revocationVersion, "revocation version")
    .u32(hello.policyVersion, "policy version")
    .u16(FRAME_BYTES_MAX, "max frame")
    .u16(hello.oldest, "oldest protocol")
    .u16(hello.newest, "newest protocol")
    .u8(
      [hello.bulk, hello.onDemand, hello.secretsVersion > 0, hello.revision > 0]
        .filter((isThere) => isThere).length,
      "extensions",
    );
  if (hello.bulk) writer.u16(EXTENSION_BULK, "tag").lp(NO_BYTES, "extension");
  if (hello.onDemand) writer.u16(EXTENSION_ON_DEMAND, "tag").lp(NO_BYTES, "extension");
  if (hello.secretsVersion > 0) {
    const version = new ByteWriter("Secrets version", 8).u64(hello.secretsVersion, "version");
    writer.u16(EXTENSION_SECRETS, "tag").lp(version.finish(), "extension");
  }
  if (hello.revision > 0) {
    const revision = new ByteWriter("Revision", 2).u16(hello.revision, "number");
    writer.u16(EXTENSION_REVISION, "tag").lp(revision.finish(), "extension");
  }
  return writer.finish();
}

/** Unknown extensions are ignored (R4). Throws ProtocolError. */
export function decodeHello(bytes: Uint8Array): Hello {
  const reader = new ByteReader(bytes, "Hello");
  const version = reader.u8("version");
  if (version !== HELLO_VERSION) throw reader.error("version", `is ${version}`);
  const chain: Uint8Array[] = [];
  const certificates = reader.u8("chain");
  if (certificates < 1 || certificates > CHAIN_MAX) {
    throw reader.error("chain", `has ${certificates} certificates, wanted are 1 or ${CHAIN_MAX}`);
  }
  for (let i = 0; i < certificates; i++) {
    const certificate = reader.lp("certificate");
    if (certificate.length > CERTIFICATE_BYTES_MAX) {
      throw reader.error("certificate", `has ${certificate.length} bytes`);
    }
    chain.push(certificate.slice());
  }
  const instance = reader.bytes(16, "instance").slice();
  const unixMs = reader.u64Number("time");
  const revocationVersion = reader.u64Number("revocation version");
  const policyVersion = reader.u32("policy version");
  if (reader.u16("max frame") !== FRAME_BYTES_MAX) throw reader.error("max frame", "is not ours");
  const oldest = reader.u16("oldest protocol");
  const newest = reader.u16("newest protocol");
  const flags = readExtensions(reader);
  reader.end();
  return { chain, instance, unixMs, revocationVersion, policyVersion, oldest, newest, ...flags };
}

function readExtensions(
  reader: ByteReader,
): Pick<Hello, "bulk" | "onDemand" | "secretsVersion" | "revision"> {
  let secretsVersion = 0;
  let revision = 0;
  let bulk = false;
  let onDemand = false;
  const count = reader.u8("extensions");
  if (count > EXTENSIONS_MAX) throw reader.error("extensions", `are ${count}`);
  for (let i = 0; i < count; i++) {
    const tag = reader.u16("extension");
    const value = reader.lp("extension");
    if (value.length > EXTENSION_BYTES_MAX) throw reader.error("extension", "is long");
    if (tag === EXTENSION_BULK) bulk = true;
    else if (tag === EXTENSION_ON_DEMAND) onDemand = true;
    else if (tag === EXTENSION_SECRETS) {
      const inner = new ByteReader(value, "Secrets version");
      secretsVersion = inner.u64Number("version");
      inner.end();
    } else if (tag === EXTENSION_REVISION) {
      const inner = new ByteReader(value, "Revision");
      revision = inner.u16("number");
      inner.end();
    }
  }
  return { bulk, onDemand, secretsVersion, revision };
}

export interface Preamble {
  readonly kind: ConduitKind;
  /** Names the PSK, or the token. */
  readonly pskId: Uint8Array;
}

/** The 16 bytes that a dialler sends in clear. */
export function encodePreamble(preamble: Preamble): Uint8Array<ArrayBuffer> {
  return new ByteWriter("Preamble", PREAMBLE_BYTES).bytes(MAGIC).u8(preamble.kind, "kind")
    .bytes(new Uint8Array(3)).fixed(preamble.pskId, 8, "psk id").finish();
}

/** Fixed size, no decoder (R2). Throws ProtocolError. */
export function decodePreamble(bytes: Uint8Array): Preamble {
  const reader = new ByteReader(bytes, "Preamble");
  reader.expect(MAGIC, "magic");
  const kind = reader.u8("kind");
  if (!Object.values(CONDUIT_KIND).includes(kind as ConduitKind)) {
    throw new ProtocolError(`Preamble has unknown kind ${kind}`);
  }
  reader.expect(new Uint8Array(3), "reserved");
  const pskId = reader.bytes(8, "psk id").slice();
  reader.end();
  return { kind: kind as ConduitKind, pskId };
}

/**
 * Every cleartext byte of the negotiation is bound into the handshake (R11): the preamble, and behind
 * it what else an end-to-end handshake says in clear.
 */
export function prologueOf(meshId: Uint8Array, clear: Uint8Array): Uint8Array<ArrayBuffer> {
  return new ByteWriter("Prologue", 128).bytes(PROLOGUE).fixed(meshId, 16, "mesh id")
    .bytes(clear).finish();
}
