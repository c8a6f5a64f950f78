/**
 * The gate through which every advert comes in, pushed or asked for. In this order: strict parse,
 * newer than what is here, certificate, signature, table. What is cheap comes first, so that a flood of
 * old adverts costs no curve operation, and
 * one that chatters without end costs none either. Adverts of our own key are for {@link OwnAdvert}.
 */

import {
  AuthenticationError,
  equalBytes,
  type Identity,
  type ModuleHost,
  toHex,
} from "../../core/mod.ts";
import {
  ADVERT_DOMAIN,
  compareVersions,
  decodeAdvert,
  keyIdIn,
  type ReceivedAdvert,
} from "./advert.ts";
import { renewalAt } from "../shared/renewal.ts";
import type { AdvertPool } from "./advert_pool.ts";
import type { MeshCounts } from "./counts.ts";
import {
  CHAIN_DUE_TRUSTED_MS_MAX,
  CHAIN_TRUSTED_MS_MAX,
  NODE_ADVERTS_AT_ONCE_MAX,
  NODE_ADVERTS_PER_SECOND_MAX,
} from "./limits.ts";
import type { NodeEntry, NodeTable } from "./node_table.ts";

type Host = Pick<ModuleHost, "self" | "env" | "links" | "verify" | "verifyChain">;

export interface IntakeOptions {
  readonly host: Host;
  readonly table: NodeTable;
  readonly counts: MeshCounts;
  /** Shared by the daemons of one process, if there are several. */
  readonly pool?: AdvertPool;
  /** Something changed that neighbours other than `from` should know. */
  readonly onNews: (entry: NodeEntry, from: string) => void;
  /** The neighbour has the very advert that is here. */
  readonly onKnown: (keyId: string, from: string) => void;
  /** An advert with our own key and a good signature. */
  readonly onOwn: (received: ReceivedAdvert, options: { readonly forgotten: boolean }) => void;
}

export interface Arrival {
  /** The neighbour it came from, by key id. */
  readonly from: string;
  /** The neighbour says that this node is to be forgotten. */
  readonly forgotten: boolean;
  /** Who the advert's key is, when the neighbour showed it just now. */
  readonly identity?: Identity;
}

/**
 * "unknown": its certificate is not known, ask for it. "full": no room for one more node. "excess":
 * the node says more than it may.
 */
export type Verdict = "new" | "known" | "old" | "unknown" | "full" | "excess";

export class Intake {
  readonly #options: IntakeOptions;
  readonly #meshId: string;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#meshId = toHex(options.host.self.certificate.meshId);
  }

  /**
   * Throws ProtocolError or AuthenticationError when the advert cannot have come through an honest
   * neighbour: each of them checks the same before it passes anything on.
   */
  accept(bytes: Uint8Array, arrival: Arrival): { verdict: Verdict; received: ReceivedAdvert } {
    const { counts } = this.#options;
    counts.advertsReceived++;
    counts.advertBytesReceived += bytes.length;
    try {
      const received = this.#decode(bytes);
      return { verdict: this.#judge(received, arrival), received };
    } catch (error) {
      counts.advertsRefused++;
      throw error;
    }
  }

  /** The key id of whose advert it is, when the chain with it was verified lately, byte for byte. */
  trusted(chain: readonly Uint8Array[], advert: Uint8Array): string | undefined {
    const keyId = keyIdIn(advert);
    const entry = keyId === undefined ? undefined : this.#options.table.get(keyId);
    if (entry === undefined || !this.#isTrusted(entry)) return undefined;
    const known = entry.identity.chain;
    const isSame = chain.length === known.length &&
      chain.every((bytes, at) => equalBytes(bytes, known[at] as Uint8Array));
    return isSame ? keyId : undefined;
  }

  /** The neighbour has forgotten a node of which we have the very same advert. */
  forget(entry: NodeEntry, from: string): void {
    const { table, onKnown, onNews } = this.#options;
    if (entry.forgotten || entry.state === "up") return onKnown(entry.keyId, from);
    table.forget(entry);
    onNews(entry, from);
  }

  /** What is here already, byte for byte, comes again and again, and need not be read again. */
  #decode(bytes: Uint8Array): ReceivedAdvert {
    const { table, pool } = this.#options;
    const keyId = keyIdIn(bytes);
    const here = keyId === undefined ? undefined : table.get(keyId)?.received;
    if (here !== undefined && equalBytes(here.bytes, bytes)) return here;
    const shared = keyId === undefined ? undefined : pool?.find(keyId, bytes);
    // A view of the message that brought it would keep all of that alive, megabytes for each node.
    return shared ?? decodeAdvert(bytes.slice());
  }

  /** An honest node says little; what is above that waits until somebody compares. */
  #takeCredit(entry: NodeEntry, now: number): boolean {
    const earned = (now - entry.creditAt) / 1_000 * NODE_ADVERTS_PER_SECOND_MAX;
    entry.credit = Math.min(NODE_ADVERTS_AT_ONCE_MAX, entry.credit + earned);
    entry.creditAt = now;
    if (entry.credit < 1) return false;
    entry.credit--;
    return true;
  }

  #judge(received: ReceivedAdvert, arrival: Arrival): Verdict {
    const { from, forgotten, identity: shown } = arrival;
    const { host, table, counts, pool, onNews, onKnown, onOwn } = this.#options;
    const { advert } = received;
    if (advert.meshId !== this.#meshId) {
      throw new AuthenticationError("wrong-mesh", `Advert is of mesh ${advert.meshId}`);
    }
    if (shown !== undefined && shown.keyId !== advert.keyId) {
      throw new AuthenticationError("key-mismatch", "Advert and certificate are of two keys");
    }
    if (advert.keyId === host.self.keyId) {
      this.#checkSignature(received, host.self);
      onOwn(received, { forgotten });
      return "known";
    }
    const entry = table.get(advert.keyId);
    if (entry !== undefined) {
      const order = compareVersions(advert, entry.advert);
      if (order < 0) return "old";
      if (order === 0) {
        if (forgotten) this.forget(entry, from);
        else onKnown(advert.keyId, from);
        return "known";
      }
    }
    const now = host.env.clock.monotonic();
    if (entry !== undefined && !this.#takeCredit(entry, now)) {
      counts.advertsExcess++;
      return "excess";
    }
    const known = shown === undefined ? this.#identityOf(advert.keyId, entry, now) : {
      identity: shown,
      trustedAt: now,
    };
    if (known === undefined) return "unknown";
    this.#checkSignature(received, known.identity);
    if (entry === undefined && table.full) return "full";
    counts.advertsNew++;
    pool?.keep(received);
    const identity = pool?.identity(known.identity) ?? known.identity;
    const put = table.put({ received, trustedAt: known.trustedAt, identity, forgotten, now });
    onNews(put, from);
    return "new";
  }

  /** Its chain was verified lately, and is valid still. */
  #isTrusted({ identity, trustedAt }: NodeEntry): boolean {
    const { clock } = this.#options.host.env;
    const unixMs = clock.now();
    // One that is due may have been renewed: whoever brings the advert has the newer one.
    const forMs = unixMs < renewalAt(identity) ? CHAIN_TRUSTED_MS_MAX : CHAIN_DUE_TRUSTED_MS_MAX;
    return clock.monotonic() - trustedAt < forMs && unixMs <= identity.notAfter;
  }

  /** By what we verified lately, or by the link to the node itself. */
  #identityOf(
    keyId: string,
    entry: NodeEntry | undefined,
    now: number,
  ): { identity: Identity; trustedAt: number } | undefined {
    const { host } = this.#options;
    const linked = host.links.get(keyId)?.peer.identity;
    const unixMs = host.env.clock.now();
    if (entry !== undefined && this.#isTrusted(entry)) {
      return { identity: entry.identity, trustedAt: entry.trustedAt };
    }
    for (const identity of [linked, entry?.identity]) {
      if (identity === undefined || unixMs >= renewalAt(identity)) continue;
      try {
        return { identity: host.verifyChain(identity.chain), trustedAt: now };
      } catch (error) {
        // Expired or revoked meanwhile: the neighbour may have a renewed one.
        if (!(error instanceof AuthenticationError)) throw error;
      }
    }
    return undefined;
  }

  #checkSignature({ advert, signed, signature }: ReceivedAdvert, identity: Identity): void {
    const { signPublicKey: publicKey, name } = identity;
    if (this.#options.host.verify(ADVERT_DOMAIN, { publicKey, bytes: signed, signature })) return;
    throw new AuthenticationError(
      "signature",
      `Advert of "${name}" (${advert.keyId.slice(0, 16)}) is not signed by its key`,
    );
  }
}
