/**
 * The token with which a machine joins a mesh, once: one name, one registrar, one expiry. It pins the
 * root, and holds a secret from which both ends make the key of their handshake. As text:
 *
 *   minime-token-v1.BASE64URL of
 *   secret 16 | root public key 32 | registrar's key id 32 | u64 expires_ms | lp mesh | lp name
 *   | list lp endpoints of the registrar
 */
import { ProtocolError } from "../errors.ts";
import { KEY_ID_BYTES } from "../limits.ts";
import { ByteReader, ByteWriter, fromHex, toHex } from "../wire/bytes.ts";
import type { Primitives } from "../crypto/primitives.ts";
import { checkName } from "./name.ts";
import type { MeshSecret } from "./trust.ts";

export interface JoinToken {
  /** 16 random bytes. */
  readonly secret: Uint8Array;
  readonly rootPublicKey: Uint8Array;
  /** Hex. */
  readonly registrarKeyId: string;
  /** Unix ms. */
  readonly expiresMs: number;
  readonly mesh: string;
  /** Of the node that it makes. */
  readonly name: string;
  readonly endpoints: readonly string[];
}

/** In bytes: nobody guesses one. */
export const TOKEN_SECRET_BYTES = 16;

/** One word without blanks. */
export function formatJoinToken(token: JoinToken): string {
  const bytes = new ByteWriter("token", 512)
    .fixed(token.secret, TOKEN_SECRET_BYTES, "secret")
    .fixed(token.rootPublicKey, 32, "root public key")
    .fixed(fromHex(token.registrarKeyId), KEY_ID_BYTES, "registrar's key id")
    .u64(token.expiresMs, "expires")
    .lp(token.mesh, "mesh")
    .lp(token.name, "name")
    .list(token.endpoints, "endpoints", (out, endpoint) => out.lp(endpoint, "endpoint"))
    .finish();
  return PREFIX + bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/** Strict, but for blanks around it. Throws ProtocolError, which never quotes the text. */
export function parseJoinToken(text: string): JoinToken {
  const word = text.trim();
  if (!word.startsWith(PREFIX)) throw new ProtocolError("This is no token of a mesh");
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.fromBase64(word.slice(PREFIX.length), { alphabet: "base64url" });
  } catch {
    throw new ProtocolError("Token is damaged: it is not base64");
  }
  const reader = new ByteReader(bytes, "Token");
  const token = {
    secret: reader.bytes(TOKEN_SECRET_BYTES, "secret").slice(),
    rootPublicKey: reader.bytes(32, "root public key").slice(),
    registrarKeyId: toHex(reader.bytes(KEY_ID_BYTES, "registrar's key id")),
    expiresMs: reader.u64Number("expires"),
    mesh: checkName(reader.lpText("mesh"), "Mesh of the token"),
    name: checkName(reader.lpText("name"), "Name in the token"),
    endpoints: reader.list("endpoints", () => reader.lpText("endpoint")),
  };
  reader.end();
  return token;
}

/** What stands for the PSK when a token is shown; its id goes in clear. */
export function joinSecretOf(
  primitives: Pick<Primitives, "sha256">,
  secret: Uint8Array,
): MeshSecret {
  return {
    id: primitives.sha256(ID_PREFIX, secret).slice(0, 8),
    psk: primitives.sha256(KEY_PREFIX, secret),
  };
}

const PREFIX = "minime-token-v1.";
const ID_PREFIX = new TextEncoder().encode("minime-token-id-v1");
const KEY_PREFIX = new TextEncoder().encode("minime-token-psk-v1");
