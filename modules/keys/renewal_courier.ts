/**
 * What a node does that is no registrar for one whose certificate has expired: it carries the request
 * to a registrar, which may lie in another segment where only nodes of the mesh can reach it. What it
 * carries proves by itself whose it is; it is looked at first, so that nobody makes the mesh carry
 * nonsense.
 */

import {
  AuthenticationError,
  CallError,
  errorText,
  type ModuleHost,
  RateLimit,
} from "../../core/mod.ts";
import type { Renewal } from "../shared/renewal_verbs.ts";
import { RENEWAL_LOOKS_PER_SECOND_MAX, RENEWALS_CARRIED_PER_SECOND_MAX } from "./limits.ts";
import { askRegistrars } from "./registrars.ts";
import { requireOwner } from "./renewal_proof.ts";

const TOO_MANY = "More requests per second than allowed";

/** One for each daemon that is no registrar. */
export class RenewalCourier {
  readonly #host: ModuleHost;
  /** Before anything is verified. */
  readonly #looks: RateLimit;
  readonly #carried: RateLimit;

  constructor(host: ModuleHost) {
    this.#host = host;
    this.#looks = new RateLimit(RENEWAL_LOOKS_PER_SECOND_MAX, host.env.clock);
    this.#carried = new RateLimit(RENEWALS_CARRIED_PER_SECOND_MAX, host.env.clock);
  }

  /** The chain that a registrar gives, of which nothing is verified. Rejects with CallError. */
  async carry(renewal: Renewal, signal: AbortSignal): Promise<{ chain: Uint8Array[] }> {
    const host = this.#host;
    if (!this.#looks.take()) throw new CallError("busy", TOO_MANY);
    try {
      const { name } = requireOwner(renewal, host, host.env.clock);
      if (!this.#carried.take()) throw new CallError("busy", TOO_MANY);
      const chain = await askRegistrars(host, renewal, { signal });
      host.log(
        "info",
        `Certificate of "${name}" has expired: a registrar has renewed it through us`,
      );
      return { chain: [...chain] };
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      throw new CallError("refused", errorText(error), { cause: error });
    }
  }
}
