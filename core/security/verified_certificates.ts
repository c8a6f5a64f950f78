/**
 * Remembers which certificates carry a good signature by which key, so that a mesh that meets the
 * same certificates again and again verifies each once. Keyed by the hash of the very bytes; only
 * good signatures are kept. Validity, revocation and constraints are never remembered.
 */
import { VERIFIED_CERTIFICATES_MAX } from "../limits.ts";
import { toHex } from "../wire/bytes.ts";
import type { Certificate } from "./certificate.ts";
import type { Primitives } from "../crypto/primitives.ts";

export class VerifiedCertificates {
  readonly #primitives: Pick<Primitives, "sha256">;
  readonly #max: number;
  /** In the order of first use: the oldest is dropped first. */
  readonly #good = new Set<string>();

  /** One may serve any number of meshes and daemons: the signer's key is part of the key. */
  constructor(primitives: Pick<Primitives, "sha256">, options: { readonly max?: number } = {}) {
    this.#primitives = primitives;
    this.#max = options.max ?? VERIFIED_CERTIFICATES_MAX;
  }

  get size(): number {
    return this.#good.size;
  }

  /** Whether the certificate is signed by key id `by`, asking `verify` only when not known yet. */
  check(certificate: Certificate, options: { by: string; verify: () => boolean }): boolean {
    const key = `${options.by} ${toHex(this.#primitives.sha256(certificate.bytes))}`;
    if (this.#good.has(key)) return true;
    if (!options.verify()) return false;
    this.#good.add(key);
    if (this.#good.size > this.#max) {
      for (const oldest of this.#good) {
        this.#good.delete(oldest);
        break;
      }
    }
    return true;
  }
}
