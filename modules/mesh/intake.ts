/**
 * The gate through which every advert comes in, pushed or asked for. In this order: strict parse,
 * newer than what is here, certificate, signature, table. What is cheap comes first, so that a flood of
 * old adverts costs no curve operation. Adverts of our own key are for {@link OwnAdvert}.
 */

import { AuthenticationError, type Identity, type ModuleHost, toHex } from "../../core/mod.ts";
import { ADVERT_DOMAIN, compareVersions, decodeAdvert, type ReceivedAdvert } from "./advert.ts";
import type { MeshCounts } from "./counts.ts";
import { CHAIN_TRUSTED_MS_MAX } from "./limits.ts";
import type { NodeEntry, NodeTable } from "./node_table.ts";

type Host = Pick<ModuleHost, "self" | "env" | "links" | "verify" | "verifyChain">;

export interface IntakeOptions {
  readonly host: Host;
  readonly table: NodeTable;
  readonly counts: MeshCounts;
  /** Something changed that neighbours other than `from` should know. */
  readonly onNews: (entry: NodeEntry, from: string) => void;
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

/** "unknown": its certificate is not known, ask for it. "full": no room for one more node. */
export type Verdict = "new" | "known" | "old" | "unknown" | "full";

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
      const received = decodeAdvert(bytes);
      return { verdict: this.#judge(received, arrival), received };
    } catch (error) {
      counts.advertsRefused++;
      throw error;
    }
  }

  /** The neighbour has forgotten a node of which we have the very same advert. */
  forget(entry: NodeEntry, from: string): void {
    entry.knownBy.add(from);
    if (entry.forgotten || entry.state === "up") return;
    entry.forgotten = true;
    entry.knownBy.clear();
    entry.knownBy.add(from);
    this.#options.onNews(entry, from);
  }

  #judge(received: ReceivedAdvert, { from, forgotten, identity }: Arrival): Verdict {
    const { host, table, counts, onNews, onOwn } = this.#options;
    const { advert } = received;
    if (advert.meshId !== this.#meshId) {
      throw new AuthenticationError("wrong-mesh", `Advert is of mesh ${advert.meshId}`);
    }
    if (identity !== undefined && identity.keyId !== advert.keyId) {
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
        else entry.knownBy.add(from);
        return "known";
      }
    }
    const now = host.env.clock.monotonic();
    const known = identity === undefined ? this.#identityOf(advert.keyId, entry, now) : {
      identity,
      trustedAt: now,
    };
    if (known === undefined) return "unknown";
    this.#checkSignature(received, known.identity);
    if (entry === undefined && table.full) return "full";
    counts.advertsNew++;
    const put = table.put({ received, ...known, forgotten, now });
    put.knownBy.add(from);
    onNews(put, from);
    return "new";
  }

  /** By what we verified lately, or by the link to the node itself. */
  #identityOf(
    keyId: string,
    entry: NodeEntry | undefined,
    now: number,
  ): { identity: Identity; trustedAt: number } | undefined {
    const { host } = this.#options;
    const linked = host.links.get(keyId)?.peer.identity;
    if (
      entry !== undefined && now - entry.trustedAt < CHAIN_TRUSTED_MS_MAX &&
      host.env.clock.now() <= entry.identity.notAfter
    ) return { identity: entry.identity, trustedAt: entry.trustedAt };
    for (const identity of [linked, entry?.identity]) {
      if (identity === undefined) continue;
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
