/**
 * News go to the neighbours that need them: not to the origin, not to the one who told us, and not
 * to those with whom either of them is linked, since each tells its own neighbours. In a full graph
 * an advert thus travels each edge of its origin once. (By induction everybody is told; where a link
 * died unnoticed at that moment, the next comparison heals it.) News wait a little, each time for as
 * long as chance will: who hears them from elsewhere meanwhile need not be told. A neighbour gets one
 * message at a time; what changes meanwhile is merged, so a slow one costs nobody memory.
 */

import {
  CallError,
  type Clock,
  errorText,
  type Link,
  type Log,
  PRIORITY,
  type Random,
} from "../../core/mod.ts";
import { chance } from "./chance.ts";
import type { MeshCounts } from "./counts.ts";
import {
  FLOOD_ADVERTS_MAX,
  FLOOD_BYTES_MAX,
  FLOOD_DELAY_MS,
  FLOOD_MS_MAX,
  GOODBYE_MS_MAX,
  RETRY_MS,
} from "./limits.ts";
import type { NodeEntry, NodeTable } from "./node_table.ts";

/** Tells adverts, and which nodes are forgotten. */
const FLOOD_VERB = "mesh.flood";

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
  readonly #news = new NewsTable();
  readonly #outboxes = new Map<Link, Outbox>();
  #stopped = false;

  constructor(options: FloodingOptions) {
    this.#options = options;
  }

  /** Returns at once; `from` is the neighbour that told us. */
  push(entry: NodeEntry, from?: string): void {
    if (this.#stopped) return;
    const { table } = this.#options;
    this.#news.open(entry.keyId);
    if (from !== undefined) this.#news.heard(entry.keyId, from);
    for (const link of this.#options.links()) {
      const peer = link.peer.identity.keyId;
      const toldByOther = from !== undefined && (peer === from || table.areLinked(from, peer));
      // An advert of another life of the neighbour says whom that one is linked with, not this one.
      if (toldByOther && peer !== entry.keyId) continue;
      if (needs(entry, link, this.#options)) this.#outboxOf(link).add(entry.keyId);
    }
    this.#news.close(entry.keyId);
  }

  /** That neighbour has what we have of the node: nobody is told twice. */
  heard(keyId: string, from: string): void {
    this.#news.heard(keyId, from);
  }

  /** Tells every neighbour right now, and waits for them a little. Never rejects. */
  async pushLast(entry: NodeEntry): Promise<void> {
    await Promise.all(
      this.#options.links().map(async (link) => {
        try {
          await send(link, [{ entry, forgotten: false }], {
            deadlineMs: GOODBYE_MS_MAX,
            counts: this.#options.counts,
          });
        } catch (error) {
          const { name } = link.peer.identity;
          this.#options.log("debug", `Goodbye did not reach "${name}": ${errorText(error)}`);
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

  #outboxOf(link: Link): Outbox {
    let outbox = this.#outboxes.get(link);
    if (outbox === undefined) {
      outbox = new Outbox(link, { ...this.#options, news: this.#news });
      this.#outboxes.set(link, outbox);
    }
    return outbox;
  }
}

/**
 * Which neighbours have the newest advert of a node, as long as somebody is still to be told: an
 * outbox that holds the node keeps its news, and nothing is kept of what everybody knows.
 */
class NewsTable {
  readonly #news = new Map<string, { holders: number; readonly knownBy: Set<string> }>();

  /** There is a newer advert. Held until it is closed. */
  open(keyId: string): void {
    this.hold(keyId).knownBy.clear();
  }

  hold(keyId: string): { holders: number; readonly knownBy: Set<string> } {
    const present = this.#news.get(keyId) ?? { holders: 0, knownBy: new Set<string>() };
    present.holders++;
    this.#news.set(keyId, present);
    return present;
  }

  close(keyId: string): void {
    const present = this.#news.get(keyId);
    if (present !== undefined && --present.holders === 0) this.#news.delete(keyId);
  }

  heard(keyId: string, from: string): void {
    this.#news.get(keyId)?.knownBy.add(from);
  }

  isKnownBy(keyId: string, neighbour: string): boolean {
    return this.#news.get(keyId)?.knownBy.has(neighbour) ?? false;
  }
}

interface OutboxOptions extends FloodingOptions {
  readonly news: NewsTable;
}

/** What one neighbour is still to be told, by key id: the newest advert is looked up when sending. */
class Outbox {
  readonly #link: Link;
  readonly #options: OutboxOptions;
  readonly #pending = new Set<string>();
  readonly #stopping = new AbortController();
  #run: Promise<void> | undefined;

  constructor(link: Link, options: OutboxOptions) {
    this.#link = link;
    this.#options = options;
  }

  get done(): Promise<void> | undefined {
    return this.#run;
  }

  add(keyId: string): void {
    if (this.#stopping.signal.aborted) return;
    this.#hold(keyId);
    this.#run ??= this.#empty().finally(() => this.#run = undefined);
  }

  stop(): void {
    this.#stopping.abort();
    for (const keyId of [...this.#pending]) this.#drop(keyId);
  }

  #hold(keyId: string): void {
    if (this.#pending.has(keyId)) return;
    this.#pending.add(keyId);
    this.#options.news.hold(keyId);
  }

  #drop(keyId: string): void {
    if (this.#pending.delete(keyId)) this.#options.news.close(keyId);
  }

  async #empty(): Promise<void> {
    const peer = this.#link.peer.identity;
    const { signal } = this.#stopping;
    const { counts, random, news } = this.#options;
    await this.#pause(FLOOD_DELAY_MS * (0.5 + chance(random)));
    while (this.#pending.size > 0) {
      const batch = this.#take();
      if (batch.length === 0) continue;
      try {
        await send(this.#link, batch, { deadlineMs: FLOOD_MS_MAX, counts, signal });
        for (const { entry } of batch) {
          // While it was sent something newer may have come.
          if (!this.#pending.has(entry.keyId)) news.heard(entry.keyId, peer.keyId);
        }
        await this.#pause(FLOOD_DELAY_MS);
      } catch (error) {
        if (signal.aborted) return;
        if (!isPassing(error)) {
          const names = batch.map(({ entry }) => entry.identity.name).join(", ");
          const text = `"${peer.name}" refuses adverts of ${names}: ${errorText(error)}`;
          this.#options.log("warning", text);
          continue;
        }
        for (const { entry } of batch) this.#hold(entry.keyId);
        await this.#pause(RETRY_MS);
      } finally {
        for (const { entry } of batch) news.close(entry.keyId);
      }
    }
  }

  /**
   * Asks again who needs it: much may have come since it was added, most of all in a boot. The news
   * of what is taken are held until it is closed.
   */
  #take(): Telling[] {
    const { news, table } = this.#options;
    const batch: Telling[] = [];
    let bytes = 0;
    for (const keyId of this.#pending) {
      const entry = table.get(keyId);
      const isKnown = news.isKnownBy(keyId, this.#link.peer.identity.keyId);
      if (entry !== undefined && !isKnown && needs(entry, this.#link, this.#options)) {
        const size = entry.received.bytes.length;
        if (batch.length >= FLOOD_ADVERTS_MAX || bytes + size > FLOOD_BYTES_MAX) break;
        bytes += size;
        news.hold(keyId);
        batch.push({ entry, forgotten: entry.forgotten });
      }
      this.#drop(keyId);
    }
    return batch;
  }

  async #pause(ms: number): Promise<void> {
    try {
      await this.#options.clock.sleep(ms, { signal: this.#stopping.signal });
    } catch (error) {
      if (!this.#stopping.signal.aborted) throw error;
    }
  }
}

/** An advert, and whether the node was forgotten when it was taken to be told. */
interface Telling {
  readonly entry: NodeEntry;
  readonly forgotten: boolean;
}

/** Whether the neighbour at the other end does not get it from the node itself. */
function needs(
  entry: NodeEntry,
  { peer: { identity, instance } }: Link,
  { table, self }: Pick<FloodingOptions, "table" | "self">,
): boolean {
  // Another life of that node has to answer; the node itself knows.
  if (identity.keyId === entry.keyId) return instance !== entry.advert.instance;
  // A forgotten node tells nobody itself.
  return entry.keyId === self || entry.forgotten || !table.areLinked(entry.keyId, identity.keyId);
}

/** It may go better in a second. */
export function isPassing(error: unknown): boolean {
  return error instanceof CallError &&
    (error.class === "busy" || error.class === "timeout" || error.class === "unreachable");
}

async function send(
  link: Link,
  tellings: readonly Telling[],
  options: { deadlineMs: number; counts: MeshCounts; signal?: AbortSignal },
): Promise<void> {
  const { deadlineMs, counts, signal } = options;
  const adverts: Uint8Array[] = [];
  const gone: Uint8Array[] = [];
  for (const { entry: { received: { bytes } }, forgotten } of tellings) {
    (forgotten ? gone : adverts).push(bytes);
    counts.advertBytesSent += bytes.length;
  }
  counts.advertsSent += tellings.length;
  await link.request(FLOOD_VERB, { adverts, forgotten: gone }, {
    deadlineMs,
    priority: PRIORITY.control,
    ...(signal === undefined ? {} : { signal }),
  });
}
