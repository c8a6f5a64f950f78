/**
 * The policy of a mesh as a signed document, which nodes pass on and keep on disk:
 *
 *   "minime-policy-v1\0" | mesh_id 16 | u32 version | u64 issued_ms | u32 length, JSON text
 *   | signer key id 32 | signature 64 | then lp issuer (empty when root signed)
 *
 * Signed by the root, or by an issuer whose certificate carries the group "policy": groups are the
 * only roles. The signature is checked before the JSON is looked at. An issuer must have been valid
 * when the document was issued (and not revoked now), so that all nodes judge a document alike,
 * whenever it reaches them. Order: {@link isNewer} of revocation.ts.
 */
import { AuthenticationError, errorText, ProtocolError } from "../errors.ts";
import { CERTIFICATE_BYTES_MAX, KEY_ID_BYTES, MESH_ID_BYTES, POLICY_BYTES_MAX } from "../limits.ts";
import { ByteReader, ByteWriter, equalBytes, toHex } from "../wire/bytes.ts";
import { keyIdOf } from "./certificate.ts";
import { type ChainOptions, verifyChain } from "./chain.ts";
import { quote } from "./name.ts";
import type { Policy } from "./policy.ts";
import { formatPolicy, parsePolicy } from "./policy_file.ts";
import { type Primitives, SIGNATURE_BYTES } from "../crypto/primitives.ts";
import type { DocumentOrder } from "./revocation.ts";

/** An issuer with this group may sign policies. */
export const POLICY_SIGNERS_GROUP = "policy";

/** A policy whose signature was verified. */
export interface SignedPolicy extends DocumentOrder {
  readonly policy: Policy;
  readonly issuedMs: number;
  /** The root's or an issuer's. */
  readonly signerKeyId: string;
  /** As received, to be passed on and kept. */
  readonly bytes: Uint8Array;
}

/** A policy as a document. */
export function signPolicy(
  primitives: Pick<Primitives, "sha256" | "sign" | "signPublicKey">,
  options: {
    readonly meshId: Uint8Array;
    readonly version: number;
    readonly issuedMs: number;
    readonly policy: Policy;
    /** The root's or the issuer's. */
    readonly seed: Uint8Array;
    /** The issuer's certificate. @default none: root signs */
    readonly issuer?: Uint8Array;
  },
): Uint8Array<ArrayBuffer> {
  const body = formatPolicy(options.policy);
  parsePolicy(body);
  const text = new TextEncoder().encode(JSON.stringify(body));
  const writer = new ByteWriter("policy", text.length + 512)
    .bytes(MAGIC)
    .fixed(options.meshId, MESH_ID_BYTES, "mesh id")
    .u32(options.version, "version")
    .u64(options.issuedMs, "issued_ms")
    .u32(text.length, "length of text")
    .bytes(text)
    .bytes(primitives.sha256(primitives.signPublicKey(options.seed)));
  const signature = primitives.sign(options.seed, writer.finish());
  const bytes = writer.bytes(signature).lp(options.issuer ?? NOTHING, "issuer").finish();
  if (bytes.length > POLICY_BYTES_MAX) throw tooLarge(bytes.length);
  return bytes;
}

/**
 * The policy in a document, when somebody who may signed it for this mesh. ProtocolError for bytes
 * that are none, AuthenticationError otherwise.
 */
export function verifyPolicy(
  primitives: Pick<Primitives, "sha256" | "verify">,
  options:
    & Pick<ChainOptions, "meshId" | "rootPublicKey" | "now" | "revocations" | "skewMs" | "cache">
    & { readonly bytes: Uint8Array },
): SignedPolicy {
  if (options.bytes.length > POLICY_BYTES_MAX) throw tooLarge(options.bytes.length);
  const bytes = options.bytes.slice();
  const reader = new ByteReader(bytes, "Policy document");
  reader.expect(MAGIC, "magic");
  const meshId = reader.bytes(MESH_ID_BYTES, "mesh id");
  const version = reader.u32("version");
  const issuedMs = reader.u64Number("issued_ms");
  const text = reader.bytes(reader.u32("length of text"), "text");
  const signerKeyId = toHex(reader.bytes(KEY_ID_BYTES, "signer key id"));
  const signed = reader.between(0, reader.offset);
  const signature = reader.bytes(SIGNATURE_BYTES, "signature");
  const issuer = reader.lp("issuer");
  if (issuer.length > CERTIFICATE_BYTES_MAX) throw reader.error("issuer", "too large");
  reader.end();
  if (!equalBytes(meshId, options.meshId)) {
    throw new AuthenticationError(
      "wrong-mesh",
      `Policy is of mesh ${toHex(meshId)}, not of ${toHex(options.meshId)}`,
    );
  }
  const { now, skewMs = 0 } = options;
  if (issuedMs > now + skewMs) {
    throw new AuthenticationError(
      "not-yet-valid",
      `Policy version ${version} was issued ${
        issuedMs - now
      } ms in the future, ${skewMs} ms is allowed: is a clock wrong`,
    );
  }
  const signer = signerOf(primitives, { ...options, issuer, issuedMs });
  if (signer.keyId !== signerKeyId) {
    throw new AuthenticationError(
      "key-mismatch",
      `Policy version ${version} names signer ${signerKeyId}, which is not ${signer.name}`,
    );
  }
  if (!primitives.verify(signer.publicKey, signed, signature)) {
    throw new AuthenticationError(
      "signature",
      `Policy version ${version} is not signed by ${signer.name}`,
    );
  }
  const policy = readPolicy(text);
  return { policy, version, hash: primitives.sha256(signed), issuedMs, signerKeyId, bytes };
}

const MAGIC = new TextEncoder().encode("minime-policy-v1\0");
const NOTHING = new Uint8Array(0);

interface Signer {
  readonly publicKey: Uint8Array;
  readonly keyId: string;
  readonly name: string;
}

function signerOf(
  primitives: Pick<Primitives, "sha256" | "verify">,
  options: Pick<ChainOptions, "meshId" | "rootPublicKey" | "revocations" | "cache"> & {
    readonly issuer: Uint8Array;
    readonly issuedMs: number;
  },
): Signer {
  const { issuer, issuedMs, rootPublicKey } = options;
  if (issuer.length === 0) {
    const keyId = keyIdOf(primitives, rootPublicKey);
    return { publicKey: rootPublicKey, keyId, name: "the mesh's root" };
  }
  const { cache, meshId, revocations } = options;
  const identity = verifyChain(primitives, {
    chain: [issuer],
    types: ["issuer"],
    now: issuedMs,
    meshId,
    rootPublicKey,
    revocations,
    ...cache && { cache },
  });
  const name = `issuer ${quote(identity.name)}`;
  if (!identity.groups.includes(POLICY_SIGNERS_GROUP)) {
    throw new AuthenticationError(
      "policy",
      `Policy is signed by ${name}, who is not in group "${POLICY_SIGNERS_GROUP}"`,
    );
  }
  return { publicKey: identity.signPublicKey, keyId: identity.keyId, name };
}

function readPolicy(text: Uint8Array): Policy {
  try {
    return parsePolicy(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text)));
  } catch (cause) {
    throw new ProtocolError(`Policy document holds no policy: ${errorText(cause)}`, { cause });
  }
}

function tooLarge(bytes: number): ProtocolError {
  return new ProtocolError(`Policy document of ${bytes} bytes is larger than ${POLICY_BYTES_MAX}`);
}
