/** X25519 and Ed25519 by libcrypto. Keys are raw bytes; nothing native outlives a call. */

import type { AgreementOperations, SignatureOperations } from "./engines.ts";
import { KEY_BYTES, SIGNATURE_BYTES } from "./primitives.ts";
import { asBuffer, demand, type FfiHandle, made } from "./primitives_ffi_library.ts";

/** From <openssl/obj_mac.h>; part of the library's ABI. */
const NID_X25519 = 1034;
const NID_ED25519 = 1087;

/** X25519. */
export function agreementOf(handle: FfiHandle): AgreementOperations {
  const c = () => handle.functions("agreement");
  const keys = keysOf(handle, NID_X25519);

  function derive(key: Deno.PointerObject, peer: Deno.PointerObject) {
    const context = made(c().EVP_PKEY_CTX_new(key, null));
    try {
      const out = new Uint8Array(KEY_BYTES);
      const size = new BigUint64Array([BigInt(KEY_BYTES)]);
      if (
        c().EVP_PKEY_derive_init(context) === 1 &&
        c().EVP_PKEY_derive_set_peer(context, peer) === 1 &&
        c().EVP_PKEY_derive(context, out, size) === 1
      ) return out;
      keys.clearError();
      return undefined;
    } finally {
      c().EVP_PKEY_CTX_free(context);
    }
  }

  return {
    dhPublicKey: keys.publicOf,
    dh: (secret, publicKey) =>
      keys.withPrivate(
        secret,
        (key) => keys.withPublic(publicKey, (peer) => derive(key, peer)),
      ),
  };
}

/** Ed25519. */
export function signaturesOf(handle: FfiHandle): SignatureOperations {
  const c = () => handle.functions("signatures");
  const keys = keysOf(handle, NID_ED25519);

  function withDigest<T>(use: (context: Deno.PointerObject) => T): T {
    const digests = handle.functions("digests");
    const context = made(digests.EVP_MD_CTX_new());
    try {
      return use(context);
    } finally {
      digests.EVP_MD_CTX_free(context);
    }
  }

  return {
    signPublicKey: keys.publicOf,
    sign: (seed, message) =>
      keys.withPrivate(seed, (key) =>
        withDigest((context) => {
          const out = new Uint8Array(SIGNATURE_BYTES);
          const size = new BigUint64Array([BigInt(SIGNATURE_BYTES)]);
          demand(c().EVP_DigestSignInit(context, null, null, null, key));
          const length = BigInt(message.length);
          demand(c().EVP_DigestSign(context, out, size, asBuffer(message), length));
          return out;
        })),
    verify: (publicKey, message, signature) =>
      keys.withPublic(publicKey, (key) =>
        withDigest((context) => {
          demand(c().EVP_DigestVerifyInit(context, null, null, null, key));
          const fits = c().EVP_DigestVerify(
            context,
            asBuffer(signature),
            BigInt(SIGNATURE_BYTES),
            asBuffer(message),
            BigInt(message.length),
          ) === 1;
          if (!fits) keys.clearError();
          return fits;
        })) ?? false,
  };
}

/** Keys of one algorithm as libcrypto's objects, which live as long as a call. */
function keysOf(handle: FfiHandle, nid: number) {
  const c = () => handle.functions("keys");

  function withPrivate<T>(secret: Uint8Array, use: (key: Deno.PointerObject) => T): T {
    const key = made(
      c().EVP_PKEY_new_raw_private_key(nid, null, asBuffer(secret), BigInt(KEY_BYTES)),
    );
    try {
      return use(key);
    } finally {
      c().EVP_PKEY_free(key);
    }
  }

  /** Undefined for what is no key. */
  function withPublic<T>(
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

  function publicOf(secret: Uint8Array): Uint8Array<ArrayBuffer> {
    return withPrivate(secret, (key) => {
      const out = new Uint8Array(KEY_BYTES);
      const size = new BigUint64Array([BigInt(KEY_BYTES)]);
      demand(c().EVP_PKEY_get_raw_public_key(key, out, size));
      return out;
    });
  }

  return { withPrivate, withPublic, publicOf, clearError: () => c().ERR_clear_error() };
}
