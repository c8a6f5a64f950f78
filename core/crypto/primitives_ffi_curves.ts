/** X25519 and Ed25519 by libcrypto. Keys are raw bytes; nothing native outlives a call. */

import type { CurveOperations } from "./engines.ts";
import { KEY_BYTES, SIGNATURE_BYTES } from "./primitives.ts";
import { asBuffer, demand, type FfiHandle, made } from "./primitives_ffi_library.ts";

/** From <openssl/obj_mac.h>; part of the library's ABI. */
const NID_X25519 = 1034;
const NID_ED25519 = 1087;

export function curvesOf(handle: FfiHandle): CurveOperations {
  const c = handle.functions;
  const size = new BigUint64Array(1);

  function withPrivate<T>(nid: number, secret: Uint8Array, use: (key: Deno.PointerObject) => T): T {
    const key = made(
      c().EVP_PKEY_new_raw_private_key(nid, null, asBuffer(secret), BigInt(KEY_BYTES)),
    );
    try {
      return use(key);
    } finally {
      c().EVP_PKEY_free(key);
    }
  }
  function publicOf(nid: number, secret: Uint8Array): Uint8Array<ArrayBuffer> {
    return withPrivate(nid, secret, (key) => {
      const out = new Uint8Array(KEY_BYTES);
      size[0] = BigInt(KEY_BYTES);
      demand(c().EVP_PKEY_get_raw_public_key(key, out, size));
      return out;
    });
  }
  function withPublic<T>(
    nid: number,
    publicKey: Uint8Array,
    use: (key: Deno.PointerObject) => T,
  ): T | undefined {
    const key = c().EVP_PKEY_new_raw_public_key(nid, null, asBuffer(publicKey), BigInt(KEY_BYTES));
    if (!key) {
      c().ERR_clear_error();
      return undefined;
    }
    try {
      return use(key);
    } finally {
      c().EVP_PKEY_free(key);
    }
  }
  function withDigest<T>(use: (context: Deno.PointerObject) => T): T {
    const context = made(c().EVP_MD_CTX_new());
    try {
      return use(context);
    } finally {
      c().EVP_MD_CTX_free(context);
    }
  }
  function derive(key: Deno.PointerObject, peer: Deno.PointerObject) {
    const context = made(c().EVP_PKEY_CTX_new(key, null));
    try {
      const out = new Uint8Array(KEY_BYTES);
      size[0] = BigInt(KEY_BYTES);
      if (
        c().EVP_PKEY_derive_init(context) === 1 &&
        c().EVP_PKEY_derive_set_peer(context, peer) === 1 &&
        c().EVP_PKEY_derive(context, out, size) === 1
      ) return out;
      c().ERR_clear_error();
      return undefined;
    } finally {
      c().EVP_PKEY_CTX_free(context);
    }
  }

  return {
    dhPublicKey: (secret) => publicOf(NID_X25519, secret),
    dh: (secret, publicKey) =>
      withPrivate(
        NID_X25519,
        secret,
        (key) => withPublic(NID_X25519, publicKey, (peer) => derive(key, peer)),
      ),
    signPublicKey: (seed) => publicOf(NID_ED25519, seed),
    sign: (seed, message) =>
      withPrivate(NID_ED25519, seed, (key) =>
        withDigest((context) => {
          const out = new Uint8Array(SIGNATURE_BYTES);
          size[0] = BigInt(SIGNATURE_BYTES);
          demand(c().EVP_DigestSignInit(context, null, null, null, key));
          const length = BigInt(message.length);
          demand(c().EVP_DigestSign(context, out, size, asBuffer(message), length));
          return out;
        })),
    verify: (publicKey, message, signature) =>
      withPublic(NID_ED25519, publicKey, (key) =>
        withDigest((context) => {
          demand(c().EVP_DigestVerifyInit(context, null, null, null, key));
          const fits = c().EVP_DigestVerify(
            context,
            asBuffer(signature),
            BigInt(SIGNATURE_BYTES),
            asBuffer(message),
            BigInt(message.length),
          ) === 1;
          if (!fits) c().ERR_clear_error();
          return fits;
        })) ?? false,
  };
}
