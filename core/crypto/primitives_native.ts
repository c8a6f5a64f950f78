/**
 * The runtime's own node:crypto. It is looked up when asked for and not imported: on Deno 2.9 the
 * module alone takes 20 ms to load, which a command that needs no cryptography must not pay. Deno
 * 2.6.8 has no ChaCha20-Poly1305 in it; there the engine has no `aead`.
 */

import type { KeyObject } from "node:crypto";
import { MinimeError } from "../errors.ts";
import { TAG_BYTES } from "../limits.ts";
import { concatBytes } from "../wire/bytes.ts";
import type {
  AeadOperations,
  AgreementOperations,
  Engine,
  HashOperations,
  SignatureOperations,
} from "./engines.ts";
import { KEY_BYTES } from "./primitives.ts";

type NodeCrypto = typeof import("node:crypto");
type Curve = "X25519" | "Ed25519";

const AEAD_NAME = "chacha20-poly1305";

/** RFC 8410: everything of a DER key before its 32 bytes. */
const PRIVATE_PREFIX = {
  X25519: Uint8Array.fromHex("302e020100300506032b656e04220420"),
  Ed25519: Uint8Array.fromHex("302e020100300506032b657004220420"),
};
const PUBLIC_PREFIX = {
  X25519: Uint8Array.fromHex("302a300506032b656e032100"),
  Ed25519: Uint8Array.fromHex("302a300506032b6570032100"),
};

/** Throws MinimeError where the runtime has no node:crypto. */
export function openNative(): Engine {
  const { process } = globalThis as {
    process?: { getBuiltinModule?(name: string): unknown };
  };
  const crypto = process?.getBuiltinModule?.("node:crypto") as NodeCrypto | undefined;
  if (!crypto) throw new MinimeError("Runtime has no node:crypto");
  return {
    source: "native",
    ...curvesOf(crypto),
    hashes: hashesOf(crypto),
    ...(crypto.getCiphers().includes(AEAD_NAME) ? { aead: aeadOf(crypto) } : {}),
    [Symbol.dispose]() {},
  };
}

function curvesOf(
  crypto: NodeCrypto,
): { readonly agreement: AgreementOperations; readonly signatures: SignatureOperations } {
  function privateKey(curve: Curve, secret: Uint8Array): KeyObject {
    const key = concatBytes(PRIVATE_PREFIX[curve], secret);
    return crypto.createPrivateKey({ key: key as never, format: "der", type: "pkcs8" });
  }
  function publicKey(curve: Curve, bytes: Uint8Array): KeyObject {
    const key = concatBytes(PUBLIC_PREFIX[curve], bytes);
    return crypto.createPublicKey({ key: key as never, format: "der", type: "spki" });
  }
  function publicOf(curve: Curve, secret: Uint8Array): Uint8Array<ArrayBuffer> {
    const key = crypto.createPublicKey(privateKey(curve, secret) as never);
    return copy(key.export({ format: "der", type: "spki" }).subarray(-KEY_BYTES));
  }
  const agreement: AgreementOperations = {
    dhPublicKey: (secret) => publicOf("X25519", secret),
    dh(secret, theirs) {
      const keys = {
        privateKey: privateKey("X25519", secret),
        publicKey: publicKey("X25519", theirs),
      };
      try {
        return copy(crypto.diffieHellman(keys));
      } catch {
        return undefined; // Both keys were accepted, so the result was all zeros.
      }
    },
  };
  const signatures: SignatureOperations = {
    signPublicKey: (seed) => publicOf("Ed25519", seed),
    sign: (seed, message) => copy(crypto.sign(null, message, privateKey("Ed25519", seed))),
    verify(signer, message, signature) {
      try {
        return crypto.verify(null, message, publicKey("Ed25519", signer), signature);
      } catch {
        return false; // Deno throws for some encodings that are no point of the curve.
      }
    },
  };
  return { agreement, signatures };
}

function hashesOf(crypto: NodeCrypto): HashOperations {
  return {
    sha256(...parts) {
      const hash = crypto.createHash("sha256");
      for (const part of parts) hash.update(part);
      return copy(hash.digest());
    },
    startSha256() {
      const hash = crypto.createHash("sha256");
      return { update: (bytes) => void hash.update(bytes), digest: () => copy(hash.digest()) };
    },
    hmac(key, ...parts) {
      const mac = crypto.createHmac("sha256", key);
      for (const part of parts) mac.update(part);
      return copy(mac.digest());
    },
  };
}

function aeadOf(crypto: NodeCrypto): AeadOperations {
  const options = { authTagLength: TAG_BYTES };
  return {
    createCipher: (key) => ({
      seal(nonce, ad, plaintext, out) {
        const cipher = crypto.createCipheriv(AEAD_NAME, key, nonce, options);
        if (ad.length > 0) cipher.setAAD(ad, { plaintextLength: plaintext.length });
        out.set(cipher.update(plaintext));
        cipher.final();
        out.set(cipher.getAuthTag(), plaintext.length);
      },
      open(nonce, ad, ciphertext, out) {
        const cipher = crypto.createDecipheriv(AEAD_NAME, key, nonce, options);
        const end = ciphertext.length - TAG_BYTES;
        if (ad.length > 0) cipher.setAAD(ad, { plaintextLength: end });
        cipher.setAuthTag(ciphertext.subarray(end));
        const plaintext = cipher.update(ciphertext.subarray(0, end));
        try {
          cipher.final();
        } catch {
          return false;
        }
        out.set(plaintext);
        return true;
      },
      [Symbol.dispose]() {},
    }),
  };
}

/** node:crypto hands out Buffers, which differ from Uint8Array in slice and toString. */
function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
