/**
 * The revocation list: which keys are no longer trusted, signed by the root (SECURITY.md R5). An
 * entry names a subject's key id and a time, and revokes every certificate for that key that begins
 * at that time or before. So no certificate needs to be known to be revoked, none can be dressed
 * anew to escape, and a key may be let in again by a later certificate. {@link REVOKED_FOR_EVER}
 * leaves no such way.
 *
 *   "minime-revoke-v1\0" | mesh_id 16 | u64 version | u64 issued_ms
 *   | u32 count, (key id 32, u64 time)... in rising order of key id | signature 64 by root
 *
 * Lists replace each other as wholes, ordered by (version, hash): {@link isNewer}.
 */
import { ProtocolError } from "../errors.ts";
import { KEY_ID_BYTES, MESH_ID_BYTES, REVOCATIONS_MAX } from "../limits.ts";
import { ByteReader, ByteWriter, compareBytes, fromHex, toHex } from "../wire/bytes.ts";
import { type Primitives, SIGNATURE_BYTES } from "../crypto/primitives.ts";
import { requireRootSigned, type Root } from "./root_signed.ts";

/** What a verifier of certificates asks of a revocation list. */
export interface Revocations {
  /** Whether a certificate for this key (id in hex) that begins at `issuedMs` is revoked. */
  isRevoked(keyId: string, issuedMs: number): boolean;
}

/** A mesh that has revoked nothing yet. */
export const NO_REVOCATIONS: Revocations = { isRevoked: () => false };

/** As a time of an entry: no later certificate for the key is accepted either. */
export const REVOKED_FOR_EVER = Number.MAX_SAFE_INTEGER;

export interface Revocation {
  /** 64 hex digits. */
  readonly keyId: string;
  /** Unix ms. */
  readonly time: number;
}

/** The order of signed documents, by which two halves of a partition agree afterwards. */
export interface DocumentOrder {
  readonly version: number;
  /** SHA-256 of what the signature covers. */
  readonly hash: Uint8Array;
}

export interface RevocationList extends Revocations, DocumentOrder {
  readonly issuedMs: number;
  readonly entries: readonly Revocation[];
  /** As received, to be passed on. */
  readonly bytes: Uint8Array;
}

/** True when `a` replaces `b`. */
export function isNewer(a: DocumentOrder, b: DocumentOrder): boolean {
  if (a.version !== b.version) return a.version > b.version;
  return compareBytes(a.hash, b.hash) > 0;
}

/** The root's list as bytes. Entries may come in any order; of two for one key the later counts. */
export function signRevocations(
  primitives: Pick<Primitives, "sign">,
  options: {
    readonly meshId: Uint8Array;
    readonly version: number;
    readonly issuedMs: number;
    readonly entries: readonly Revocation[];
    readonly rootSeed: Uint8Array;
  },
): Uint8Array<ArrayBuffer> {
  const times = new Map<string, number>();
  for (const { keyId, time } of options.entries) {
    times.set(keyId.toLowerCase(), Math.max(time, times.get(keyId.toLowerCase()) ?? 0));
  }
  if (times.size > REVOCATIONS_MAX) {
    throw new ProtocolError(`Cannot revoke ${times.size} keys: ${REVOCATIONS_MAX} is the most`);
  }
  const writer = new ByteWriter("revocation list", 128 + ENTRY_BYTES * times.size)
    .bytes(MAGIC)
    .fixed(options.meshId, MESH_ID_BYTES, "mesh id")
    .u64(options.version, "version")
    .u64(options.issuedMs, "issued_ms")
    .u32(times.size, "count");
  for (const keyId of [...times.keys()].sort()) {
    writer.fixed(fromHex(keyId), KEY_ID_BYTES, "key id").u64(times.get(keyId) ?? 0, "time");
  }
  return writer.bytes(primitives.sign(options.rootSeed, writer.finish())).finish();
}

/**
 * Reads a list and proves that the root of this mesh signed it. ProtocolError for other bytes,
 * AuthenticationError "wrong-mesh" or "signature". The signature is checked before the entries.
 */
export function verifyRevocations(
  primitives: Pick<Primitives, "verify" | "sha256">,
  options: Root & { readonly bytes: Uint8Array },
): RevocationList {
  const bytes = options.bytes.slice();
  const reader = new ByteReader(bytes, "Revocation list");
  reader.expect(MAGIC, "magic");
  const meshId = reader.bytes(MESH_ID_BYTES, "mesh id");
  const version = reader.u64Number("version");
  const issuedMs = reader.u64Number("issued_ms");
  const count = reader.u32("count");
  if (count > REVOCATIONS_MAX) {
    throw reader.error("count", `${count} entries, ${REVOCATIONS_MAX} is the most`);
  }
  const entryBytes = reader.bytes(count * ENTRY_BYTES, "entries");
  const signed = reader.between(0, reader.offset);
  const signature = reader.bytes(SIGNATURE_BYTES, "signature");
  reader.end();
  requireRootSigned(primitives, { what: "Revocation list is", meshId, signed, signature }, options);
  const entries = readEntries(new ByteReader(entryBytes, "Revocation list"));
  const times = new Map(entries.map(({ keyId, time }) => [keyId, time]));
  return {
    version,
    hash: primitives.sha256(signed),
    issuedMs,
    entries,
    bytes,
    isRevoked: (keyId, issued) => issued <= (times.get(keyId) ?? -1),
  };
}

const MAGIC = new TextEncoder().encode("minime-revoke-v1\0");
const ENTRY_BYTES = KEY_ID_BYTES + 8;

function readEntries(reader: ByteReader): Revocation[] {
  const entries: Revocation[] = [];
  let previous: Uint8Array = new Uint8Array(0);
  while (reader.remaining > 0) {
    const id = reader.bytes(KEY_ID_BYTES, "key id");
    if (compareBytes(id, previous) <= 0) throw reader.error("key id", "entries are not in order");
    entries.push({ keyId: toHex(id), time: reader.u64Number("time") });
    previous = id;
  }
  return entries;
}
