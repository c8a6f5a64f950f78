/**
 * From the table to what people see: who is up, down or left, since when, and where a lost one was
 * lost. Up means that we reach it over edges that both ends claim. It also decides who is to be
 * forgotten without being asked: a node that is gone and whose name a later certificate carries.
 * Looks only at what changed, and at who is reached or lost by that.
 */

import type { MeshChange, MeshView, NodeState, NodeView } from "../shared/mesh_view.ts";
import { HEARSAY_AFTER_MS, HEARSAY_MS, NEWCOMER_MS } from "./limits.ts";
import { placesOfLoss } from "./losses.ts";
import type { NodeEntry, NodeTable } from "./node_table.ts";
import { Reach } from "./reach.ts";

export interface StatesUpdate {
  /** Nodes with which we have a link now, by key id. */
  readonly links: ReadonlySet<string>;
  /** Unix ms. */
  readonly now: number;
  readonly monotonic: number;
}

export interface StatesChange extends MeshChange {
  /** Whether other nodes are there than before, or in other states or places: not only other links. */
  readonly reshaped: boolean;
  /** Time alone will change something more. */
  readonly againInMs: number | undefined;
}

export class NodeStates {
  readonly #table: NodeTable;
  readonly #self: string;
  readonly #reach: Reach;
  /** Our links, in rising order. */
  #links: readonly string[] = [];
  /** Not reached yet, and not shown as down yet. */
  readonly #newcomers = new Set<string>();
  /** Gone, and reached again by hearsay alone: since when, in monotonic ms. */
  readonly #returning = new Map<string, number>();

  constructor(table: NodeTable, self: string) {
    this.#table = table;
    this.#self = self;
    this.#reach = new Reach(self);
  }

  /** What was shown last. */
  get view(): MeshView {
    return {
      self: this.#self,
      nodes: [...this.#table.entries()].flatMap(({ view }) => view ?? []),
    };
  }

  /** What changed. */
  update(now: StatesUpdate): StatesChange {
    const changed: NodeView[] = [];
    const forgotten: string[] = [];
    let reshaped = false;
    for (const entry of this.#toJudge(now)) {
      const { keyId, view: shown } = entry;
      const way = this.#reach.has(keyId);
      if (!way && this.#isNewcomer(entry, now.monotonic)) {
        this.#newcomers.add(keyId);
        continue;
      }
      this.#newcomers.delete(keyId);
      if (way && this.#isHearsay(entry, now)) continue;
      this.#returning.delete(keyId);
      judge(entry, way, now.now);
      if (entry.state !== "up" && this.#hasSuccessor(entry)) entry.forgotten = true;
      if (entry.forgotten) {
        entry.view = undefined;
        if (shown !== undefined) forgotten.push(keyId);
      } else if (this.#show(entry)) changed.push(entry.view as NodeView);
      reshaped ||= isReshaped(shown, entry.view);
    }
    for (const { keyId, view } of this.#table.dropOldest()) {
      this.#reach.claim(keyId, undefined);
      this.#newcomers.delete(keyId);
      this.#returning.delete(keyId);
      if (view === undefined) continue;
      forgotten.push(keyId);
      reshaped = true;
    }
    return { changed, forgotten, reshaped, againInMs: this.#againInMs(now.monotonic) };
  }

  /** Whose state or view may be another one now. */
  #toJudge({ links, monotonic }: StatesUpdate): Iterable<NodeEntry> {
    const changed = this.#table.takeChanged();
    // What we know of our own links is newer than what we said last.
    const own = [...links].sort();
    if (!sameList(own, this.#links)) this.#links = own;
    for (const keyId of changed) this.#claim(keyId);
    this.#claim(this.#self);
    const { gained, lost } = this.#reach.settle();
    const keyIds = new Set([
      ...changed,
      ...gained,
      ...lost,
      ...this.#newcomers,
      ...this.#returning.keys(),
      this.#self,
    ]);
    const entries = new Set<NodeEntry>();
    for (const keyId of keyIds) {
      const entry = this.#table.get(keyId);
      if (entry === undefined) continue;
      for (const namesake of this.#table.named(entry.identity.name)) entries.add(namesake);
    }
    this.#place([...entries].filter((entry) => this.#isLost(entry, monotonic)));
    return entries;
  }

  #claim(keyId: string): void {
    const advert = this.#table.get(keyId)?.advert;
    if (keyId === this.#self) this.#reach.claim(keyId, this.#links);
    else this.#reach.claim(keyId, advert?.leaving ? undefined : advert?.links);
  }

  /** Just now, or it is shown for the first time. */
  #isLost(entry: NodeEntry, monotonic: number): boolean {
    const { keyId, state, advert, forgotten } = entry;
    return state !== "down" && !advert.leaving && !forgotten && !this.#reach.has(keyId) &&
      !this.#isNewcomer(entry, monotonic);
  }

  /** Says where those were lost, while it is fresh. */
  #place(lost: readonly NodeEntry[]): void {
    if (lost.length === 0) return;
    const claims = new Map<string, readonly string[]>();
    for (const { keyId, advert } of this.#table.entries()) {
      if (!this.#reach.has(keyId)) claims.set(keyId, advert.links);
    }
    const places = placesOfLoss({ claims, distances: this.#reach.distances() });
    for (const entry of lost) {
      const place = places.get(entry.keyId);
      entry.lostAt = place === undefined ? undefined : this.#table.get(place)?.identity.name;
    }
  }

  /** Its neighbours' adverts may be on their way. */
  #isNewcomer({ advert, state, forgotten, firstAt }: NodeEntry, monotonic: number): boolean {
    return state === undefined && !forgotten && !advert.leaving &&
      monotonic - firstAt < NEWCOMER_MS;
  }

  /**
   * The way back to it is made of what was said before it was gone. When a partition has healed, the news
   * that would say otherwise may be under way: a node that died meanwhile is not up for that long. Nor
   * is a link that flaps a partition.
   */
  #isHearsay(
    { keyId, state, stale, since: goneAt }: NodeEntry,
    { now, monotonic }: StatesUpdate,
  ): boolean {
    if (!stale || state === "up" || this.#links.includes(keyId)) return false;
    // The wall clock may have been set back meanwhile.
    if (now >= goneAt && now - goneAt < HEARSAY_AFTER_MS) return false;
    const since = this.#returning.get(keyId) ?? monotonic;
    this.#returning.set(keyId, since);
    return monotonic - since < HEARSAY_MS;
  }

  /** Whether a later certificate carries its name. */
  #hasSuccessor({ identity: { name, certificate } }: NodeEntry): boolean {
    return this.#table.named(name)
      .some(({ identity }) => identity.certificate.notBefore > certificate.notBefore);
  }

  /** Whether that is something new. */
  #show(entry: NodeEntry): boolean {
    const { advert, identity, view: shown } = entry;
    const links = entry.keyId === this.#self ? this.#links : advert.links;
    if (
      shown !== undefined && shown.links === links && shown.endpoints === advert.endpoints &&
      shown.groups === identity.groups && shown.state === entry.state &&
      shown.since === entry.since
    ) return false;
    entry.view = viewOf(entry, links);
    return true;
  }

  #againInMs(monotonic: number): number | undefined {
    const ends = [...this.#returning.values()].map((since) => since + HEARSAY_MS);
    for (const keyId of this.#newcomers) {
      const entry = this.#table.get(keyId);
      if (entry !== undefined) ends.push(entry.firstAt + NEWCOMER_MS);
    }
    if (ends.length === 0) return undefined;
    // At least 1: what rounding leaves would be waited for again and again, without end.
    return Math.max(1, ends.reduce((first, end) => Math.min(first, end)) - monotonic);
  }
}

function judge(entry: NodeEntry, way: boolean, now: number): void {
  const state = entry.advert.leaving ? "left" : way ? "up" : "down";
  // Whoever said that it may be forgotten could not see it; it lives.
  if (state === "up") entry.forgotten = false;
  if (state === entry.state) return;
  if (state !== "down") entry.lostAt = undefined;
  entry.stale ||= state !== "up";
  entry.state = state;
  entry.since = now;
}

function isReshaped(before: NodeView | undefined, after: NodeView | undefined): boolean {
  if (before === after) return false;
  return before === undefined || after === undefined || before.state !== after.state ||
    before.segment !== after.segment || before.groups !== after.groups ||
    !sameList(before.endpoints, after.endpoints);
}

/** The lists are those of advert and certificate, which nobody changes. */
function viewOf({ advert, identity, ...entry }: NodeEntry, links: readonly string[]): NodeView {
  return {
    name: identity.name,
    keyId: entry.keyId,
    groups: identity.groups,
    segment: advert.segment,
    endpoints: advert.endpoints,
    state: entry.state as NodeState,
    since: entry.since,
    version: advert.version,
    instance: advert.instance,
    incarnation: advert.incarnation,
    links,
    ...(entry.lostAt === undefined ? {} : { lostAt: entry.lostAt }),
  };
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, index) => each === b[index]);
}
