/**
 * Adverts and identities that several daemons of one process have in common: a simulator runs a
 * thousand of them, and each would keep its own copy of what all others say. What is shared is never
 * changed, and each daemon has verified it for itself.
 */

import { equalBytes, type Identity } from "../../core/mod.ts";
import type { ReceivedAdvert } from "./advert.ts";
import { POOLED_ADVERTS_PER_NODE_MAX } from "./limits.ts";

export class AdvertPool {
  readonly #adverts = new Map<string, readonly ReceivedAdvert[]>();
  readonly #identities = new Map<string, Identity>();

  /** The advert with exactly these bytes, if some daemon has it. */
  find(keyId: string, bytes: Uint8Array): ReceivedAdvert | undefined {
    return this.#adverts.get(keyId)?.find((advert) => equalBytes(advert.bytes, bytes));
  }

  /** A good one, for others to find. */
  keep(received: ReceivedAdvert): void {
    const { keyId } = received.advert;
    const present = this.#adverts.get(keyId) ?? [];
    if (present.includes(received)) return;
    this.#adverts.set(keyId, [received, ...present].slice(0, POOLED_ADVERTS_PER_NODE_MAX));
  }

  /** The same identity, as the object that others have already. */
  identity(identity: Identity): Identity {
    const present = this.#identities.get(identity.keyId);
    const isSame = present !== undefined && present.chain.length === identity.chain.length &&
      present.chain.every((bytes, at) => equalBytes(bytes, identity.chain[at] as Uint8Array));
    if (isSame) return present;
    this.#identities.set(identity.keyId, identity);
    return identity;
  }
}
