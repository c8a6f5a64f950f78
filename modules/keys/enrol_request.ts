/**
 * What somebody asks who wants to become a user of the mesh: an empty folder, whose owner says which
 * user of the machine it is, and whose name holds the keys. So the daemon reads nothing that others
 * wrote, and an operator sees by the name alone that whoever asks has the key.
 *
 *   base64url of (sign_pub 32 | dh_pub 32 | signature 64) ".request"
 *   signature in the module domain "minime-enrol-v1" over dh_pub 32 | name
 */

import {
  keyIdOf,
  type Primitives,
  ProtocolError,
  signForModule,
  verifyForModule,
} from "../../core/mod.ts";
import { KEY_BYTES, type PublicKeys, publicKeysOf } from "../shared/authority.ts";

const DOMAIN = "minime-enrol-v1";
const SUFFIX = ".request";
const SIGNATURE_BYTES = 64;

/** Keys that somebody has proven to hold. */
export interface EnrolRequest extends PublicKeys {
  readonly keyId: string;
}

/** The name of the request of who has that key (Ed25519 seed, X25519 secret). */
export function requestFileName(
  primitives: Primitives,
  { key, user }: { readonly key: Uint8Array; readonly user: string },
): string {
  const { signPublicKey, dhPublicKey } = publicKeysOf(primitives, key);
  const seed = key.slice(0, KEY_BYTES);
  const bytes = signedBytes(dhPublicKey, user);
  const signature = signForModule(primitives, { domain: DOMAIN, bytes, seed });
  const all = new Uint8Array([...signPublicKey, ...dhPublicKey, ...signature]);
  return `${all.toBase64({ alphabet: "base64url", omitPadding: true })}${SUFFIX}`;
}

/** Undefined for what is no request, and for one that was not made by who has the key, for that user. */
export function readRequestFileName(
  primitives: Primitives,
  { file, user }: { readonly file: string; readonly user: string },
): EnrolRequest | undefined {
  if (!file.endsWith(SUFFIX)) return undefined;
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.fromBase64(file.slice(0, -SUFFIX.length), { alphabet: "base64url" });
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (bytes.length !== 2 * KEY_BYTES + SIGNATURE_BYTES) return undefined;
  const signPublicKey = bytes.slice(0, KEY_BYTES);
  const dhPublicKey = bytes.slice(KEY_BYTES, 2 * KEY_BYTES);
  const isTheirs = verifyForModule(primitives, {
    domain: DOMAIN,
    publicKey: signPublicKey,
    bytes: signedBytes(dhPublicKey, user),
    signature: bytes.slice(2 * KEY_BYTES),
  });
  if (!isTheirs) return undefined;
  return { signPublicKey, dhPublicKey, keyId: keyIdOf(primitives, signPublicKey) };
}

/** Where the answer to the request of that key lies, in the same folder. */
export function answerFileName(keyId: string): string {
  if (!/^[0-9a-f]{64}$/.test(keyId)) throw new ProtocolError("A key id has 64 hex digits");
  return `${keyId}.answer`;
}

/** What people compare: 64 bits of the key id, in groups. */
export function fingerprintOf(keyId: string): string {
  return (keyId.slice(0, 16).match(/.{4}/g) ?? []).join("-");
}

function signedBytes(dhPublicKey: Uint8Array, user: string): Uint8Array {
  return new Uint8Array([...dhPublicKey, ...new TextEncoder().encode(user)]);
}
