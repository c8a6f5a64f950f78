/**
 * News go to the neighbours that need them: not to the origin, not to the one who told us, and not
 * to those with whom either of them is linked, since each tells its own neighbours. In a full graph
 * an advert thus travels each edge of its origin once. (By induction everybody is told; where a link
 * died unnoticed at that moment, the next comparison heals it.) A neighbour gets one message at a
 * time; what changes meanwhile is merged, so a slow one costs nobody memory.
 */

import { type Clock, errorText, type Link, type Log, type Random } from "../../core/mod.ts";
import type { MeshCounts } from "./counts.ts";
import { GOODBYE_MS_MAX } from "./limits.ts";
import { News } from "./news.ts";
import type { NodeEntry, NodeTable } from "./node_table.ts";
import { flood, Outbox } from "./outbox.ts";

export interface FloodingOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly table: NodeTable;
  readonly self: string;
  readonly links: () => readonly Link[];
  readonly counts: MeshCounts;
  readonly log: Log;
}

export class Flooding {
  readonly #options: FloodingOptions;
  readonly #news = new News();
  readonly #outboxes = new Map<Link, Outbox>();
  #stopped = false;

  constructor(options: FloodingOptions) {
    this.#options = options;
  }

  /** Returns at once; `from` is the neighbour that told us. */
  push(entry: NodeEntry, from?: string): void {
    if (this.#stopped) return;
    const { keyId } = entry;
    const links = this.#options.links();
    const peers = new Set(links.map(({ peer }) => peer.identity.keyId));
    // An advert of another life of the neighbour says whom that one is linked with, not this one.
    const told = from === undefined ? NOBODY : this.#linkedAmong(peers, from);
    const direct = this.#tellsItself(entry) ? this.#linkedAmong(peers, keyId) : NOBODY;
    this.#news.begin(keyId);
    if (from !== undefined) this.#news.heard(keyId, from);
    for (const link of links) {
      const peer = link.peer.identity.keyId;
      const isNeeded = peer === keyId
        ? this.#needs(entry, link)
        : peer !== from && !told.has(peer) && !direct.has(peer);
      if (isNeeded) this.#outboxOf(link).add(entry);
    }
    this.#news.release(keyId);
  }

  /** That neighbour has what we have of the node: nobody is told twice. */
  heard(keyId: string, from: string): void {
    this.#news.heard(keyId, from);
  }

  /** Tells every neighbour right now, and waits for them a little. Never rejects. */
  async pushLast(entry: NodeEntry): Promise<void> {
    const { counts, links, log } = this.#options;
    await Promise.all(
      links().map(async (link) => {
        try {
          await flood(link, [{ entry, forgotten: false }], { deadlineMs: GOODBYE_MS_MAX, counts });
        } catch (error) {
          const { name } = link.peer.identity;
          log("debug", `Goodbye did not reach "${name}": ${errorText(error)}`);
        }
      }),
    );
  }

  linkDown(link: Link): void {
    this.#outboxes.get(link)?.stop();
    this.#outboxes.delete(link);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const outboxes = [...this.#outboxes.values()];
    this.#outboxes.clear();
    for (const outbox of outboxes) outbox.stop();
    await Promise.all(outboxes.map((outbox) => outbox.done));
  }

  /** A forgotten node tells nobody itself, and we tell of ourselves. */
  #tellsItself({ keyId, forgotten }: NodeEntry): boolean {
    return keyId !== this.#options.self && !forgotten;
  }

  #linkedAmong(peers: ReadonlySet<string>, keyId: string): ReadonlySet<string> {
    const { table } = this.#options;
    const claimed = table.get(keyId)?.advert.links ?? [];
    return new Set(claimed.filter((to) => peers.has(to) && table.areLinked(keyId, to)));
  }

  /** Whether the neighbour at the other end does not get it from the node itself. */
  #needs(entry: NodeEntry, { peer: { identity, instance } }: Link): boolean {
    // Another life of that node has to answer; the node itself knows.
    if (identity.keyId === entry.keyId) return instance !== entry.advert.instance;
    return !this.#tellsItself(entry) || !this.#options.table.areLinked(entry.keyId, identity.keyId);
  }

  #outboxOf(link: Link): Outbox {
    let outbox = this.#outboxes.get(link);
    if (outbox === undefined) {
      outbox = new Outbox(link, {
        ...this.#options,
        news: this.#news,
        needs: (entry, to) => this.#needs(entry, to),
      });
      this.#outboxes.set(link, outbox);
    }
    return outbox;
  }
}

const NOBODY: ReadonlySet<string> = new Set();
