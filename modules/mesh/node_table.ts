/**
 * Every node whose advert we accepted: the newest advert of each key, who it is by certificate, and
 * what follows from both. A forgotten node stays in the table as the advert that was forgotten, so
 * that no old copy of it comes back as news; only a newer one, signed by the living node, does.
 * Keyed by key id, never by name. It remembers what has changed, so that nobody looks through all.
 */

import type { Identity } from "../../core/mod.ts";
import { isGateway, type NodeState, type NodeView } from "../shared/mesh_view.ts";
import { type Advert, compareVersions, type ReceivedAdvert } from "./advert.ts";
import { FULL_GRAPH_NODES_MAX, GONE_NODES_MAX, NODES_MAX } from "./limits.ts";

export interface NodeEntry {
  readonly keyId: string;
  readonly identity: Identity;
  /** Monotonic ms: when the chain was verified last. */
  readonly trustedAt: number;
  readonly received: ReceivedAdvert;
  readonly advert: Advert;
  /**
   * It tells more than that a node that was up has more links than before; or all of these count, as
   * between segments.
   */
  readonly urgent: boolean;
  /** Monotonic ms: when we first heard of the key. */
  readonly firstAt: number;
  forgotten: boolean;
  /** It was gone since its advert came. */
  stale: boolean;
  /** Undefined: not judged yet. */
  state: NodeState | undefined;
  /** Unix ms: when we noticed its state. */
  since: number;
  /** Name of the last node on the way to it. */
  lostAt: string | undefined;
  /** As it is shown; undefined: nobody is shown it. */
  view: NodeView | undefined;
  /** Newer adverts that may follow at once, as of `creditAt` (monotonic ms). */
  credit: number;
  creditAt: number;
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
  /** Key ids by name; a list only where several have the name. */
  readonly #names = new Map<string, string | string[]>();
  #changed = new Set<string>();
  #up = 0;

  get size(): number {
    return this.#entries.size;
  }

  /** How many were up when they were counted last. */
  get up(): number {
    return this.#up;
  }

  countUp(): void {
    this.#up = 0;
    for (const { state } of this.#entries.values()) if (state === "up") this.#up++;
  }

  /** All are linked with all, which costs little: nothing needs to wait for more. */
  get isSmall(): boolean {
    return this.up <= FULL_GRAPH_NODES_MAX;
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
    const { advert } = received;
    const { keyId } = advert;
    const old = this.#entries.get(keyId);
    if (old !== undefined && compareVersions(advert, old.advert) <= 0) {
      throw new Error(`Advert of ${keyId} does not replace the one that is here`);
    }
    const entry: NodeEntry = {
      keyId,
      identity,
      trustedAt,
      received,
      advert,
      urgent: old === undefined || this.isSmall || isGateway(identity) || isUrgent(advert, old),
      firstAt: old === undefined || old.forgotten ? now : old.firstAt,
      forgotten,
      stale: false,
      state: old?.forgotten ? undefined : old?.state,
      since: old?.since ?? 0,
      lostAt: old?.lostAt,
      view: old?.view,
      credit: old?.credit ?? Infinity,
      creditAt: old?.creditAt ?? now,
    };
    this.#entries.set(keyId, entry);
    if (old?.identity.name !== identity.name) {
      if (old !== undefined) this.#unname(old);
      this.#name(entry);
    }
    this.#changed.add(keyId);
    return entry;
  }

  /** Nobody is told of the node any more. Its advert stays. */
  forget(entry: NodeEntry): void {
    entry.forgotten = true;
    this.#changed.add(entry.keyId);
  }

  /** Key ids of entries that changed since this was asked last, or are gone. */
  takeChanged(): ReadonlySet<string> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  /** All that have that name. */
  named(name: string): readonly NodeEntry[] {
    const keyIds = this.#names.get(name) ?? [];
    return (typeof keyIds === "string" ? [keyIds] : keyIds)
      .map((keyId) => this.#entries.get(keyId) as NodeEntry);
  }

  /** Two nodes that both claim the link between them. */
  areLinked(a: string, b: string): boolean {
    return this.#entries.get(a)?.advert.links.includes(b) === true &&
      this.#entries.get(b)?.advert.links.includes(a) === true;
  }

  /** Drops the oldest of what is not up any more, forgotten ones first, down to the limit. */
  dropOldest(max: number = GONE_NODES_MAX): NodeEntry[] {
    if (this.#entries.size <= max) return [];
    const gone = [...this.#entries.values()].filter(({ state, forgotten }) =>
      forgotten || (state !== undefined && state !== "up")
    );
    if (gone.length <= max) return [];
    gone.sort((a, b) => Number(b.forgotten) - Number(a.forgotten) || a.since - b.since);
    const dropped = gone.slice(0, gone.length - max);
    for (const entry of dropped) {
      this.#entries.delete(entry.keyId);
      this.#unname(entry);
      this.#changed.add(entry.keyId);
    }
    return dropped;
  }

  #name({ identity: { name }, keyId }: NodeEntry): void {
    const present = this.#names.get(name);
    if (present === undefined) this.#names.set(name, keyId);
    else this.#names.set(name, [...(typeof present === "string" ? [present] : present), keyId]);
  }

  #unname({ identity: { name }, keyId }: NodeEntry): void {
    const present = this.#names.get(name);
    const left = typeof present === "string" ? [] : (present ?? []).filter((one) => one !== keyId);
    if (left.length === 0) this.#names.delete(name);
    else this.#names.set(name, left.length === 1 ? left[0] as string : left);
  }
}

function isUrgent(advert: Advert, { advert: before, state, forgotten }: NodeEntry): boolean {
  if (
    state !== "up" || forgotten || advert.leaving || advert.instance !== before.instance ||
    advert.segment !== before.segment || advert.endpoints.join() !== before.endpoints.join()
  ) return true;
  const links = new Set(advert.links);
  // The same links again: whoever says so has something else to say, as that its certificate is new.
  return links.size === before.links.length || before.links.some((keyId) => !links.has(keyId));
}
