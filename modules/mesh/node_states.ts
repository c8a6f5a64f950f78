/**
 * From the table to what people see: who is up, down or left, since when, and where a lost one was
 * lost. Up means that we reach it over edges that both ends claim. It also decides who is to be
 * forgotten without being asked: a node that is gone and whose name a later certificate carries.
 */

import type { MeshChange, MeshView, NodeState, NodeView } from "../shared/mesh_view.ts";
import { NEWCOMER_MS } from "./limits.ts";
import type { NodeEntry, NodeTable } from "./node_table.ts";
import { reach } from "./reach.ts";

export interface StatesUpdate {
  /** Nodes with which we have a link now, by key id. */
  readonly links: ReadonlySet<string>;
  /** Unix ms. */
  readonly now: number;
  readonly monotonic: number;
}

interface Shown {
  readonly bytes: Uint8Array;
  readonly view: NodeView;
}

export class NodeStates {
  readonly #table: NodeTable;
  readonly #self: string;
  readonly #shown = new Map<string, Shown>();

  constructor(table: NodeTable, self: string) {
    this.#table = table;
    this.#self = self;
  }

  /** What was shown last. */
  get view(): MeshView {
    return { self: this.#self, nodes: [...this.#shown.values()].map(({ view }) => view) };
  }

  /** What changed; `againInMs` when time alone will change something more. */
  update(now: StatesUpdate): MeshChange & { readonly againInMs: number | undefined } {
    const before = reach(this.#claims(now.links), this.#self);
    const newest = this.#newestByName();
    const changed: NodeView[] = [];
    const forgotten: string[] = [];
    let againInMs: number | undefined;
    for (const entry of this.#table.entries()) {
      const way = before.get(entry.keyId);
      if (way === undefined && this.#isNewcomer(entry, now.monotonic)) {
        // At least 1: what rounding leaves would be waited for again and again, without end.
        const left = Math.max(1, entry.firstAt + NEWCOMER_MS - now.monotonic);
        againInMs = Math.min(againInMs ?? Infinity, left);
        continue;
      }
      this.#judge(entry, { way, before, now: now.now });
      const successor = newest.get(entry.identity.name) as number;
      if (entry.state !== "up" && entry.identity.certificate.notBefore < successor) {
        entry.forgotten = true;
      }
      if (entry.forgotten) this.#hide(entry.keyId, forgotten);
      else this.#show(entry, now.links, changed);
    }
    for (const { keyId } of this.#table.dropOldest()) this.#hide(keyId, forgotten);
    return { changed, forgotten, againInMs };
  }

  #claims(links: ReadonlySet<string>): Map<string, ReadonlySet<string>> {
    const claims = new Map<string, ReadonlySet<string>>();
    for (const { keyId, advert, claims: own } of this.#table.entries()) {
      if (!advert.leaving) claims.set(keyId, own);
    }
    // What we know of our own links is newer than what we said last.
    return claims.set(this.#self, links);
  }

  #newestByName(): Map<string, number> {
    const newest = new Map<string, number>();
    for (const { identity: { name, certificate } } of this.#table.entries()) {
      newest.set(name, Math.max(certificate.notBefore, newest.get(name) ?? 0));
    }
    return newest;
  }

  /** Its neighbours' adverts may be on their way. */
  #isNewcomer({ advert, state, forgotten, firstAt }: NodeEntry, monotonic: number): boolean {
    return state === undefined && !forgotten && !advert.leaving &&
      monotonic - firstAt < NEWCOMER_MS;
  }

  #judge(
    entry: NodeEntry,
    options: { way: string | undefined; before: ReadonlyMap<string, string>; now: number },
  ): void {
    const { way, before, now } = options;
    const state = stateOf(entry, way);
    if (state === "up") {
      // Whoever said that it may be forgotten could not see it; it lives.
      entry.forgotten = false;
      entry.before = way;
    }
    if (state === entry.state) return;
    entry.lostAt = state === "down" ? this.#lastReachable(entry, before) : undefined;
    entry.state = state;
    entry.since = now;
  }

  /** The last node on the former way that can still be reached. */
  #lastReachable(entry: NodeEntry, before: ReadonlyMap<string, string>): string | undefined {
    const seen = new Set<string>();
    for (let at = entry.before; at !== undefined && !seen.has(at);) {
      const node = this.#table.get(at);
      if (before.has(at)) return node?.identity.name;
      seen.add(at);
      at = node?.before;
    }
    return undefined;
  }

  #show(entry: NodeEntry, links: ReadonlySet<string>, changed: NodeView[]): void {
    const shown = this.#shown.get(entry.keyId);
    const own = entry.keyId === this.#self;
    if (
      shown?.bytes === entry.bytes && shown.view.state === entry.state &&
      shown.view.since === entry.since && !own
    ) return;
    const view = viewOf(entry, own ? [...links].sort() : entry.advert.links);
    if (shown?.bytes === entry.bytes && own && sameList(shown.view.links, view.links)) return;
    this.#shown.set(entry.keyId, { bytes: entry.bytes, view });
    changed.push(view);
  }

  #hide(keyId: string, forgotten: string[]): void {
    if (this.#shown.delete(keyId)) forgotten.push(keyId);
  }
}

function stateOf({ advert }: NodeEntry, way: string | undefined): NodeState {
  if (advert.leaving) return "left";
  return way === undefined ? "down" : "up";
}

function viewOf({ advert, identity, ...entry }: NodeEntry, links: readonly string[]): NodeView {
  return {
    name: identity.name,
    keyId: entry.keyId,
    groups: [...identity.groups],
    segment: advert.segment,
    endpoints: [...advert.endpoints],
    state: entry.state as NodeState,
    since: entry.since,
    version: advert.version,
    instance: advert.instance,
    incarnation: advert.incarnation,
    links: [...links],
    ...(entry.lostAt === undefined ? {} : { lostAt: entry.lostAt }),
  };
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, index) => each === b[index]);
}
