/**
 * What one neighbour is still to be told, by key id: the newest advert is looked up when sending.
 *
 * A neighbour is told adverts at once, or else, a little later, only which ones there are (an offer),
 * and asks for those that it lacks. Which of both, its answers say: who has most of what it is told
 * hears it sooner from somebody else, and is offered from then on; who lacks what it is offered is told
 * again. So adverts travel along a tree that forms by itself, and offers mend it where it breaks
 * (Leitao, Pereira, Rodrigues, "Epidemic Broadcast Trees", SRDS 2007).
 */

import * as v from "valibot";
import {
  CallError,
  type Clock,
  errorText,
  type Link,
  type Log,
  PRIORITY,
  type Random,
  type Timer,
} from "../../core/mod.ts";
import { chance } from "../shared/chance.ts";
import type { MeshCounts } from "./counts.ts";
import {
  FLOOD_ADVERTS_MAX,
  FLOOD_BYTES_MAX,
  FLOOD_DELAY_MS,
  FLOOD_MS_MAX,
  FLOOD_UNASKED_MAX,
  OFFER_DELAY_MS,
  RETRY_MS,
  UNHURRIED_FACTOR,
} from "./limits.ts";
import type { News } from "./news.ts";
import type { NodeEntry, NodeTable } from "./node_table.ts";
import { encodeSummary } from "./summary.ts";

/** Tells adverts, and which nodes are forgotten. */
const FLOOD_VERB = "mesh.flood";
/** Tells which versions there are. */
const OFFER_VERB = "mesh.offer";

/** Answer of both: how many of the nodes told were known just so, or better. */
export const ToldSchema = v.strictObject({ known: v.pipe(v.number(), v.minValue(0)) });

export interface OutboxOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly table: NodeTable;
  readonly news: News;
  readonly counts: MeshCounts;
  readonly log: Log;
  /** Whether the neighbour does not get it from the node itself. */
  readonly needs: (entry: NodeEntry, link: Link) => boolean;
}

/** An advert, and whether the node was forgotten when it was taken to be told. */
interface Telling {
  readonly entry: NodeEntry;
  readonly forgotten: boolean;
}

export class Outbox {
  readonly #link: Link;
  readonly #options: OutboxOptions;
  readonly #pending = new Set<string>();
  readonly #stopping = new AbortController();
  /** Something that waits is urgent. */
  #urgent = false;
  #timer: Timer | undefined;
  /** Monotonic ms: when the timer is due. */
  #dueAt = Infinity;
  #telling: Promise<void> | undefined;
  /** The neighbour is told at once, and not only offered. */
  #eager = true;

  constructor(link: Link, options: OutboxOptions) {
    this.#link = link;
    this.#options = options;
  }

  get done(): Promise<void> | undefined {
    return this.#telling;
  }

  add({ keyId, urgent }: Pick<NodeEntry, "keyId" | "urgent">): void {
    if (this.#stopping.signal.aborted) return;
    this.#hold(keyId);
    const hurries = urgent && !this.#urgent;
    this.#urgent ||= urgent;
    // What waits already takes this with it.
    if (this.#telling !== undefined || (this.#dueAt !== Infinity && !hurries)) return;
    // By chance: who hears news from elsewhere meanwhile need not be told.
    this.#plan(this.#delay() * (0.5 + chance(this.#options.random)));
  }

  stop(): void {
    this.#stopping.abort();
    this.#timer?.cancel();
    for (const keyId of [...this.#pending]) this.#drop(keyId);
  }

  #hold(keyId: string): void {
    if (this.#pending.has(keyId)) return;
    this.#pending.add(keyId);
    this.#options.news.hold(keyId);
  }

  #drop(keyId: string): void {
    if (this.#pending.delete(keyId)) this.#options.news.release(keyId);
  }

  /** Tells what waits by then; what is under way goes on first. */
  #plan(ms: number): void {
    if (this.#telling !== undefined || this.#pending.size === 0) return;
    const { clock } = this.#options;
    const dueAt = clock.monotonic() + ms;
    if (this.#dueAt <= dueAt) return;
    this.#timer?.cancel();
    this.#dueAt = dueAt;
    this.#timer = clock.after(ms, () => this.#begin());
  }

  #begin(): void {
    this.#dueAt = Infinity;
    const batch = this.#take();
    if (batch.length === 0) return;
    this.#telling = this.#tellAll(batch).then((waitMs) => {
      this.#telling = undefined;
      // Something urgent may have come until now.
      if (!this.#stopping.signal.aborted) this.#plan(waitMs ?? this.#delay());
    });
  }

  /** How long to wait before what follows, in ms; undefined: as usual. */
  async #tellAll(batch: readonly Telling[]): Promise<number | undefined> {
    const { keyId: peer } = this.#link.peer.identity;
    const { news } = this.#options;
    try {
      await this.#tell(batch);
      for (const { entry } of batch) {
        // While it was sent something newer may have come.
        if (!this.#pending.has(entry.keyId)) news.heard(entry.keyId, peer);
      }
      return undefined;
    } catch (error) {
      return this.#stopping.signal.aborted ? undefined : this.#failed(batch, error);
    } finally {
      for (const { entry } of batch) news.release(entry.keyId);
    }
  }

  #delay(): number {
    const ms = this.#eager ? FLOOD_DELAY_MS : OFFER_DELAY_MS;
    return this.#urgent ? ms : ms * UNHURRIED_FACTOR;
  }

  async #tell(batch: readonly Telling[]): Promise<void> {
    const few = batch.length <= FLOOD_UNASKED_MAX;
    const reply = this.#eager && few ? await this.#flood(batch) : await this.#offer(batch);
    // What comes from all sides says nothing of the way that single news take.
    if (!few) return;
    const parsed = v.safeParse(ToldSchema, reply, { abortEarly: true });
    if (!parsed.success) return;
    const { known } = parsed.output;
    this.#eager = this.#eager ? known <= batch.length / 2 : known < batch.length;
  }

  #flood(batch: readonly Telling[]): Promise<unknown> {
    return flood(this.#link, batch, {
      deadlineMs: FLOOD_MS_MAX,
      counts: this.#options.counts,
      signal: this.#stopping.signal,
    });
  }

  #offer(batch: readonly Telling[]): Promise<unknown> {
    this.#options.counts.offersSent += batch.length;
    const summary = encodeSummary(batch.map(({ entry }) => entry));
    return this.#link.request(OFFER_VERB, { summary }, {
      deadlineMs: FLOOD_MS_MAX,
      priority: PRIORITY.control,
      signal: this.#stopping.signal,
    });
  }

  /** As {@link #tellAll}. */
  #failed(batch: readonly Telling[], error: unknown): number | undefined {
    if (isPassing(error)) {
      for (const { entry } of batch) this.#hold(entry.keyId);
      return RETRY_MS;
    }
    const names = batch.map(({ entry }) => entry.identity.name).join(", ");
    const { name } = this.#link.peer.identity;
    this.#options.log("warning", `"${name}" refuses adverts of ${names}: ${errorText(error)}`);
    return undefined;
  }

  /**
   * Asks again who needs it: much may have come since it was added, most of all in a boot. The news
   * of what is taken are held until they are released.
   */
  #take(): Telling[] {
    const { news, table, needs } = this.#options;
    const batch: Telling[] = [];
    let bytes = 0;
    for (const keyId of this.#pending) {
      const entry = table.get(keyId);
      const isKnown = news.isKnownBy(keyId, this.#link.peer.identity.keyId);
      if (entry !== undefined && !isKnown && needs(entry, this.#link)) {
        const size = entry.received.bytes.length;
        if (batch.length >= FLOOD_ADVERTS_MAX || bytes + size > FLOOD_BYTES_MAX) break;
        bytes += size;
        news.hold(keyId);
        batch.push({ entry, forgotten: entry.forgotten });
      }
      this.#drop(keyId);
    }
    this.#urgent &&= this.#pending.size > 0;
    return batch;
  }
}

/** It may go better in a second. */
export function isPassing(error: unknown): boolean {
  return error instanceof CallError &&
    (error.class === "busy" || error.class === "timeout" || error.class === "unreachable");
}

/** Tells adverts; resolves with the neighbour's answer. */
export function flood(
  link: Link,
  tellings: readonly Telling[],
  options: { deadlineMs: number; counts: MeshCounts; signal?: AbortSignal },
): Promise<unknown> {
  const { deadlineMs, counts, signal } = options;
  const adverts: Uint8Array[] = [];
  const gone: Uint8Array[] = [];
  for (const { entry: { received: { bytes } }, forgotten } of tellings) {
    (forgotten ? gone : adverts).push(bytes);
    counts.advertBytesSent += bytes.length;
  }
  counts.advertsSent += tellings.length;
  return link.request(FLOOD_VERB, { adverts, forgotten: gone }, {
    deadlineMs,
    priority: PRIORITY.control,
    ...(signal === undefined ? {} : { signal }),
  });
}
