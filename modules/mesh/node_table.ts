/**
 * Every node whose advert we accepted: the newest advert of each key, who it is by certificate, and
 * what follows from both. A forgotten node stays in the table as the advert that was forgotten, so
 * that no old copy of it comes back as news; only a newer one, signed by the living node, does.
 * Keyed by key id, never by name.
 */

import type { Identity } from "../../core/mod.ts";
import type { NodeState } from "../shared/mesh_view.ts";
import { type Advert, compareVersions, type ReceivedAdvert } from "./advert.ts";
import { GONE_NODES_MAX, NODES_MAX } from "./limits.ts";

export interface NodeEntry {
  readonly keyId: string;
  readonly identity: Identity;
  /** Monotonic ms: when the chain was verified last. */
  readonly trustedAt: number;
  readonly advert: Advert;
  readonly bytes: Uint8Array;
  /** The links of the advert. */
  readonly claims: ReadonlySet<string>;
  /** Monotonic ms: when we first heard of the key. */
  readonly firstAt: number;
  /** Neighbours that have this very version: nobody is told twice. */
  readonly knownBy: Set<string>;
  forgotten: boolean;
  /** Undefined: not shown to anybody yet. */
  state: NodeState | undefined;
  /** Unix ms: when we noticed its state. */
  since: number;
  lostAt: string | undefined;
  /** The node before it on the way, when there last was one. */
  before: string | undefined;
}

export interface NewAdvert {
  readonly received: ReceivedAdvert;
  readonly identity: Identity;
  readonly trustedAt: number;
  readonly forgotten: boolean;
  /** Monotonic ms. */
  readonly now: number;
}

export class NodeTable {
  readonly #entries = new Map<string, NodeEntry>();

  get size(): number {
    return this.#entries.size;
  }

  get(keyId: string): NodeEntry | undefined {
    return this.#entries.get(keyId);
  }

  entries(): IterableIterator<NodeEntry> {
    return this.#entries.values();
  }

  /** No room for a key that is not here yet. */
  get full(): boolean {
    return this.#entries.size >= NODES_MAX;
  }

  /** Takes an advert that is newer than what is here; throws when it is not: a bug of the caller. */
  put({ received, identity, trustedAt, forgotten, now }: NewAdvert): NodeEntry {
    const { advert, bytes } = received;
    const old = this.#entries.get(advert.keyId);
    if (old !== undefined && compareVersions(advert, old.advert) <= 0) {
      throw new Error(`Advert of ${advert.keyId} does not replace the one that is here`);
    }
    const entry: NodeEntry = {
      keyId: advert.keyId,
      identity,
      trustedAt,
      advert,
      // A view of the message that brought it would keep all of that alive, megabytes for each node.
      bytes: bytes.slice(),
      claims: new Set(advert.links),
      firstAt: old === undefined || old.forgotten ? now : old.firstAt,
      knownBy: new Set(),
      forgotten,
      state: old?.forgotten ? undefined : old?.state,
      since: old?.since ?? 0,
      lostAt: old?.lostAt,
      before: old?.before,
    };
    this.#entries.set(advert.keyId, entry);
    return entry;
  }

  /** Two nodes that both claim the link between them. */
  areLinked(a: string, b: string): boolean {
    return this.#entries.get(a)?.claims.has(b) === true &&
      this.#entries.get(b)?.claims.has(a) === true;
  }

  /** Drops the oldest of what is not up any more, forgotten ones first, down to the limit. */
  dropOldest(max: number = GONE_NODES_MAX): NodeEntry[] {
    const gone = [...this.#entries.values()].filter(({ state, forgotten }) =>
      forgotten || (state !== undefined && state !== "up")
    );
    if (gone.length <= max) return [];
    gone.sort((a, b) => Number(b.forgotten) - Number(a.forgotten) || a.since - b.since);
    const dropped = gone.slice(0, gone.length - max);
    for (const { keyId } of dropped) this.#entries.delete(keyId);
    return dropped;
  }
}
