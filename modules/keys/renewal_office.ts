/**
 * The registrar's side of renewal: a new certificate for the same key, name and groups, and as long a
 * life, to whoever proves to hold the key of a certificate of this mesh that is not revoked. Who
 * brings the request does not matter, and neither does that the certificate has expired, while its
 * issuer has not: a partition heals (SECURITY.md 2).
 */

import {
  AuthenticationError,
  CallError,
  type Certificate,
  type Environment,
  errorText,
  type Identity,
  type ModuleHost,
  parseCertificate,
  type Primitives,
  RateLimit,
} from "../../core/mod.ts";
import { type Authority, issueNode, type Needs, needsNow } from "../shared/authority.ts";
import { INSTALLED_NODE_MS } from "../shared/limits.ts";
import type { Renewal } from "../shared/renewal_verbs.ts";
import {
  RENEWAL_KEYS_MAX,
  RENEWAL_LOOKS_PER_SECOND_MAX,
  RENEWALS_PER_SECOND_MAX,
} from "./limits.ts";
import { requireOwner } from "./renewal_proof.ts";

/** What a registrar renews with. */
export interface OfficeOptions {
  readonly env: Pick<Environment, "clock" | "random">;
  readonly primitives: Primitives;
  /** As of now: its issuer may be exchanged. */
  readonly authority: () => Authority;
}

type Judges = Pick<ModuleHost, "verifyChain" | "verify">;

/** One for each daemon that is a registrar. */
export class RenewalOffice {
  readonly #options: OfficeOptions;
  /** Before anything is verified. */
  readonly #looks: RateLimit;
  /** By key id, of who has proven that it is theirs. */
  readonly #renewals = new Map<string, RateLimit>();

  constructor(options: OfficeOptions) {
    this.#options = options;
    this.#looks = new RateLimit(RENEWAL_LOOKS_PER_SECOND_MAX, options.env.clock);
  }

  /** The issuer that signs here. */
  get issuer(): Certificate | undefined {
    const { authority, primitives } = this.#options;
    const { issuer } = authority();
    return issuer && parseCertificate(primitives, issuer.certificate);
  }

  /** The new chain, leaf first, and for whom. Throws CallError, with the reason. */
  renew(
    renewal: Renewal,
    judges: Judges,
  ): { readonly chain: Uint8Array[]; readonly identity: Identity } {
    const { env, primitives, authority } = this.#options;
    if (!this.#looks.take()) throw new CallError("busy", "More requests per second than allowed");
    try {
      const identity = requireOwner(renewal, judges, env.clock);
      this.#count(identity);
      const needs = needsNow(env, primitives);
      return { chain: issueAgain(authority(), needs, identity), identity };
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      throw new CallError("refused", errorText(error), { cause: error });
    }
  }

  /** Who sends nonsense is not counted here, and takes nothing away from others. */
  #count({ keyId, name }: Identity): void {
    const renewals = this.#renewals;
    if (renewals.size >= RENEWAL_KEYS_MAX) {
      for (const [id, { full }] of renewals) if (full) renewals.delete(id);
    }
    let limit = renewals.get(keyId);
    if (limit === undefined) {
      limit = new RateLimit(RENEWALS_PER_SECOND_MAX, this.#options.env.clock);
      renewals.set(keyId, limit);
    }
    if (limit.take()) return;
    throw new CallError("busy", `More renewals of "${name}" per second than allowed`);
  }
}

/** The same key, name and groups, for as long. */
export function issueAgain(authority: Authority, needs: Needs, identity: Identity): Uint8Array[] {
  const { name, groups, signPublicKey, dhPublicKey, certificate } = identity;
  return issueNode(authority, {
    ...needs,
    name,
    groups,
    signPublicKey,
    dhPublicKey,
    validityMs: Math.min(certificate.notAfter - certificate.notBefore, INSTALLED_NODE_MS),
  });
}
