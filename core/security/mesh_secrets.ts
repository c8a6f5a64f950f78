/**
 * The mesh's PSK when it changes: a document signed by the root that names the new one, the one
 * before, and until when that is still accepted (SECURITY.md 2). Whoever may read it knows the old one
 * already, and it travels over encrypted conduits only. Nodes that have not heard of it yet accept
 * the old one alone, so that is what is dialled with during the first half of the overlap; in the
 * second half, and with clocks that differ by less than that, the new one.
 *
 *   "minime-secrets-v1\0" | mesh_id 16 | u64 version | u64 issued_ms | u64 former_until_ms
 *   | psk 32 | former psk 32 (zeros: none) | signature 64 by root
 */

import { MESH_ID_BYTES, PSK_BYTES } from "../limits.ts";
import { type Primitives, SIGNATURE_BYTES } from "../crypto/primitives.ts";
import { ByteReader, ByteWriter, equalBytes } from "../wire/bytes.ts";
import { pskIdOf } from "./chain.ts";
import type { DocumentOrder } from "./revocation.ts";
import { requireRootSigned, type Root } from "./root_signed.ts";
import type { MeshSecret, Trust } from "./trust.ts";

/** As it was signed. */
export interface MeshSecrets extends DocumentOrder {
  readonly issuedMs: number;
  readonly secret: MeshSecret;
  /** Accepted until `formerUntilMs`, unix ms. */
  readonly former: MeshSecret | undefined;
  readonly formerUntilMs: number;
  /** As received, to be passed on. */
  readonly bytes: Uint8Array;
}

/** The document as bytes. */
export function signMeshSecrets(
  primitives: Pick<Primitives, "sign">,
  options: {
    readonly meshId: Uint8Array;
    readonly version: number;
    readonly issuedMs: number;
    readonly psk: Uint8Array;
    /** @default none: the one before is refused from now on */
    readonly former?: { readonly psk: Uint8Array; readonly untilMs: number };
    readonly rootSeed: Uint8Array;
  },
): Uint8Array<ArrayBuffer> {
  const { former } = options;
  const writer = new ByteWriter("mesh secrets", 256)
    .bytes(MAGIC)
    .fixed(options.meshId, MESH_ID_BYTES, "mesh id")
    .u64(options.version, "version")
    .u64(options.issuedMs, "issued_ms")
    .u64(former?.untilMs ?? 0, "former_until_ms")
    .fixed(options.psk, PSK_BYTES, "psk")
    .fixed(former?.psk ?? NONE, PSK_BYTES, "former psk");
  return writer.bytes(primitives.sign(options.rootSeed, writer.finish())).finish();
}

/** ProtocolError for other bytes, AuthenticationError "wrong-mesh" or "signature". */
export function verifyMeshSecrets(
  primitives: Pick<Primitives, "verify" | "sha256">,
  options: Root & { readonly bytes: Uint8Array },
): MeshSecrets {
  const bytes = options.bytes.slice();
  const reader = new ByteReader(bytes, "Mesh secrets");
  reader.expect(MAGIC, "magic");
  const meshId = reader.bytes(MESH_ID_BYTES, "mesh id");
  const version = reader.u64Number("version");
  const issuedMs = reader.u64Number("issued_ms");
  const formerUntilMs = reader.u64Number("former_until_ms");
  const psk = reader.bytes(PSK_BYTES, "psk").slice();
  const former = reader.bytes(PSK_BYTES, "former psk").slice();
  const signed = reader.between(0, reader.offset);
  const signature = reader.bytes(SIGNATURE_BYTES, "signature");
  reader.end();
  requireRootSigned(primitives, { what: "Mesh secrets are", meshId, signed, signature }, options);
  const secretOf = (psk: Uint8Array) => ({ id: pskIdOf(primitives, psk), psk });
  return {
    version,
    hash: primitives.sha256(signed),
    issuedMs,
    secret: secretOf(psk),
    former: equalBytes(former, NONE) ? undefined : secretOf(former),
    formerUntilMs,
    bytes,
  };
}

/** What is accepted at that time (unix ms); the first is the one to dial with. */
export function secretsAt(trust: Trust, now: number): readonly MeshSecret[] {
  const { secretsDocument: document } = trust;
  if (document === undefined) return trust.secrets;
  const { secret, former, issuedMs, formerUntilMs } = document;
  if (former === undefined || now > formerUntilMs) return [secret];
  const isFirstHalf = now < issuedMs + (formerUntilMs - issuedMs) / 2;
  return isFirstHalf ? [former, secret] : [secret, former];
}

/** The secret of that id, if it is accepted at that time. */
export function findSecret(
  trust: Trust,
  { id, now }: { readonly id: Uint8Array; readonly now: number },
): MeshSecret | undefined {
  return secretsAt(trust, now).find((secret) => equalBytes(secret.id, id));
}

const MAGIC = new TextEncoder().encode("minime-secrets-v1\0");
const NONE = new Uint8Array(PSK_BYTES);
