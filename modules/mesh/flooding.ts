/**
 * News go to the neighbours that need them: not to the origin, not to the one who told us, and not
 * to those with whom either of them is linked, since each tells its own neighbours. In a full graph
 * an advert thus travels each edge of its origin once. (By induction everybody is told; where a link
 * died unnoticed at that moment, the next comparison heals it.) A neighbour gets one message at a
 * time; what changes meanwhile is merged, so a slow one costs nobody memory.
 */

import { CallError, type Clock, errorText, type Link, type Log, PRIORITY } from "../../core/mod.ts";
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
  readonly table: NodeTable;
  readonly self: string;
  readonly links: () => readonly Link[];
  readonly counts: MeshCounts;
  readonly log: Log;
}

export class Flooding {
  readonly #options: FloodingOptions;
  readonly #outboxes = new Map<Link, Outbox>();
  #stopped = false;

  constructor(options: FloodingOptions) {
    this.#options = options;
  }

  /** Returns at once; `from` is the neighbour that told us. */
  push(entry: NodeEntry, from?: string): void {
    if (this.#stopped) return;
    const { table } = this.#options;
    for (const link of this.#options.links()) {
      const peer = link.peer.identity.keyId;
      const toldByOther = from !== undefined && (peer === from || table.areLinked(from, peer));
      // An advert of another life of the neighbour says whom that one is linked with, not this one.
      if (toldByOther && peer !== entry.keyId) continue;
      if (needs(entry, link, this.#options)) this.#outboxOf(link).add(entry.keyId);
    }
  }

  /** Tells every neighbour right now, and waits for them a little. Never rejects. */
  async pushLast(entry: NodeEntry): Promise<void> {
    await Promise.all(
      this.#options.links().map(async (link) => {
        try {
          await send(link, [entry], { deadlineMs: GOODBYE_MS_MAX, counts: this.#options.counts });
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
      outbox = new Outbox(link, this.#options);
      this.#outboxes.set(link, outbox);
    }
    return outbox;
  }
}

/** What one neighbour is still to be told, by key id: the newest advert is looked up when sending. */
class Outbox {
  readonly #link: Link;
  readonly #options: FloodingOptions;
  readonly #pending = new Set<string>();
  readonly #stopping = new AbortController();
  #run: Promise<void> | undefined;

  constructor(link: Link, options: FloodingOptions) {
    this.#link = link;
    this.#options = options;
  }

  get done(): Promise<void> | undefined {
    return this.#run;
  }

  add(keyId: string): void {
    this.#pending.add(keyId);
    this.#run ??= this.#empty().finally(() => this.#run = undefined);
  }

  stop(): void {
    this.#pending.clear();
    this.#stopping.abort();
  }

  async #empty(): Promise<void> {
    const peer = this.#link.peer.identity;
    await this.#pause(FLOOD_DELAY_MS);
    while (this.#pending.size > 0) {
      const batch = this.#take();
      if (batch.length === 0) continue;
      try {
        const { signal } = this.#stopping;
        const { counts } = this.#options;
        const news = batch.map((entry) => ({ entry, forgotten: entry.forgotten }));
        await send(this.#link, batch, { deadlineMs: FLOOD_MS_MAX, counts, signal });
        for (const { entry, forgotten } of news) {
          // While it was sent the node may have been forgotten, which is news again.
          if (entry.forgotten === forgotten) entry.knownBy.add(peer.keyId);
        }
        await this.#pause(FLOOD_DELAY_MS);
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        if (!isPassing(error)) {
          const names = batch.map(({ identity }) => identity.name).join(", ");
          const text = `"${peer.name}" refuses adverts of ${names}: ${errorText(error)}`;
          this.#options.log("warning", text);
          continue;
        }
        for (const { keyId } of batch) this.#pending.add(keyId);
        await this.#pause(RETRY_MS);
      }
    }
  }

  /** Asks again who needs it: much may have come since it was added, most of all in a boot. */
  #take(): NodeEntry[] {
    const batch: NodeEntry[] = [];
    let bytes = 0;
    for (const keyId of this.#pending) {
      const entry = this.#options.table.get(keyId);
      if (entry !== undefined && needs(entry, this.#link, this.#options)) {
        if (batch.length >= FLOOD_ADVERTS_MAX || bytes + entry.bytes.length > FLOOD_BYTES_MAX) {
          break;
        }
        bytes += entry.bytes.length;
        batch.push(entry);
      }
      this.#pending.delete(keyId);
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

/** Whether the neighbour at the other end neither has it nor gets it from the node itself. */
function needs(
  entry: NodeEntry,
  { peer: { identity, instance } }: Link,
  { table, self }: Pick<FloodingOptions, "table" | "self">,
): boolean {
  if (entry.knownBy.has(identity.keyId)) return false;
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
  entries: readonly NodeEntry[],
  options: { deadlineMs: number; counts: MeshCounts; signal?: AbortSignal },
): Promise<void> {
  const { deadlineMs, counts, signal } = options;
  const bytesOf = (forgotten: boolean) =>
    entries.filter((entry) => entry.forgotten === forgotten).map(({ bytes }) => bytes);
  counts.advertsSent += entries.length;
  for (const { bytes } of entries) counts.advertBytesSent += bytes.length;
  await link.request(FLOOD_VERB, { adverts: bytesOf(false), forgotten: bytesOf(true) }, {
    deadlineMs,
    priority: PRIORITY.control,
    ...(signal === undefined ? {} : { signal }),
  });
}
