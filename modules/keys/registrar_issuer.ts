/**
 * The issuer of a registrar: a key that signs in the root's place. It came with the node's folder of
 * keys, and can be exchanged while the node runs: a new key is made here, its certificate is made
 * where the root key is, and from then on the new one signs. Private keys never travel. A request that
 * a restart has made forgotten is simply made again. One that has ended signs nothing any more, and can
 * be exchanged all the same: its node stays a node.
 */

import {
  AuthenticationError,
  CallError,
  CLOCK_SKEW_MS_MAX,
  type Environment,
  equalBytes,
  MinimeError,
  NO_REVOCATIONS,
  parseCertificate,
  type Primitives,
  type Revocations,
  signCertificateRequest,
  verifyChain,
} from "../../core/mod.ts";
import { type Authority, type IssuerKey, KEY_BYTES, publicKeysOf } from "../shared/authority.ts";
import { readPrivateFile } from "../shared/private_folder.ts";

/** What the mesh gives, and where a new issuer is kept. */
export interface RegistrarOptions {
  readonly env: Pick<Environment, "clock" | "files" | "processes" | "random">;
  readonly primitives: Primitives;
  readonly meshId: Uint8Array;
  readonly rootPublicKey: Uint8Array;
  readonly psk: Uint8Array;
  readonly revocations?: Revocations;
  /** The one that came with the node's keys: Ed25519 seed and X25519 secret, certificate. */
  readonly first: { readonly key: Uint8Array; readonly certificate: Uint8Array };
  /** The file of the one that replaced it: its key, then its certificate. */
  readonly path: string;
}

/** One for each daemon that is a registrar. */
export class RegistrarIssuer {
  readonly #options: RegistrarOptions;
  #issuer: IssuerKey;
  #pending: Uint8Array | undefined;

  private constructor(options: RegistrarOptions, issuer: IssuerKey) {
    this.#options = options;
    this.#issuer = issuer;
  }

  /** The later of its two issuers. Throws AuthenticationError when neither may be one. */
  static async open(options: RegistrarOptions): Promise<RegistrarIssuer> {
    const { env, path, first } = options;
    const kept = await readPrivateFile(env, path);
    if (kept !== undefined) {
      const key = kept.slice(0, 2 * KEY_BYTES);
      const certificate = kept.slice(2 * KEY_BYTES);
      try {
        check(options, certificate, { allowExpired: true });
        const begins = (bytes: Uint8Array) => parseCertificate(options.primitives, bytes).notBefore;
        if (begins(certificate) >= begins(first.certificate)) {
          return new RegistrarIssuer(options, { seed: key.slice(0, KEY_BYTES), certificate });
        }
      } catch (error) {
        // Of a mesh whose node had this name, or revoked: the folder of keys may hold a newer one.
        if (!(error instanceof AuthenticationError)) throw error;
      }
    }
    check(options, first.certificate, { allowExpired: true });
    const { key, certificate } = first;
    return new RegistrarIssuer(options, { seed: key.slice(0, KEY_BYTES), certificate });
  }

  /** What signs now. */
  get authority(): Authority {
    const { meshId, rootPublicKey, psk } = this.#options;
    return { meshId, rootPublicKey, psk, issuer: this.#issuer };
  }

  /** A request for a certificate of a new issuer of that name, signed by its own key. */
  begin(name: string): Uint8Array {
    const { env: { random, clock }, primitives, meshId } = this.#options;
    this.#pending = random.bytes(2 * KEY_BYTES);
    return signCertificateRequest(primitives, {
      signSeed: this.#pending.slice(0, KEY_BYTES),
      dhPublicKey: publicKeysOf(primitives, this.#pending).dhPublicKey,
      name,
      meshId,
      now: Math.floor(clock.now()),
    }).bytes;
  }

  /** The certificate for the key of the last request; on disk when this resolves. */
  async install(certificate: Uint8Array): Promise<void> {
    const { env, primitives, path } = this.#options;
    const key = this.#pending;
    if (key === undefined) throw new CallError("refused", "This registrar has asked for no issuer");
    const { signPublicKey } = parseCertificate(primitives, certificate);
    if (!equalBytes(signPublicKey, publicKeysOf(primitives, key).signPublicKey)) {
      throw new CallError("refused", "The certificate is not for the key that was asked for last");
    }
    check(this.#options, certificate);
    const file = new Uint8Array(key.length + certificate.length);
    file.set(key);
    file.set(certificate, key.length);
    await env.files.write(path, file, { mode: 0o600 });
    this.#issuer = { seed: key.slice(0, KEY_BYTES), certificate };
    this.#pending = undefined;
  }
}

function check(
  options: RegistrarOptions,
  certificate: Uint8Array,
  { allowExpired = false }: { readonly allowExpired?: boolean } = {},
): void {
  const { env, primitives, meshId, rootPublicKey, revocations = NO_REVOCATIONS } = options;
  if (certificate.length === 0) throw new MinimeError("The file of the issuer is cut: remove it");
  verifyChain(primitives, {
    chain: [certificate],
    rootPublicKey,
    meshId,
    now: env.clock.now(),
    skewMs: CLOCK_SKEW_MS_MAX,
    revocations,
    types: ["issuer"],
    allowExpired,
  });
}
