/**
 * Two neighbours bring each other up to date: they compare what versions they have (when their link
 * comes up, and now and then), first by digests, then by versions where these differ; and each asks
 * for what it lacks. Asking, not telling, so that a newcomer with sixty links gets every advert once:
 * what is asked of one neighbour is not asked of another meanwhile. Certificates travel in these
 * answers only, once to each node.
 */

import * as v from "valibot";
import {
  AuthenticationError,
  ByteReader,
  CallError,
  type Clock,
  errorText,
  fromHex,
  type Identity,
  KEY_ID_BYTES,
  type Link,
  type Log,
  MinimeError,
  ProtocolError,
  toHex,
} from "../../core/mod.ts";
import { type AdvertVersion, compareVersions } from "./advert.ts";
import type { MeshCounts } from "./counts.ts";
import {
  bucketOf,
  bucketsFor,
  decodeBuckets,
  differingBuckets,
  digestsOf,
  encodeBuckets,
} from "./digests.ts";

import type { Intake } from "./intake.ts";
import {
  FETCH_BYTES_MAX,
  FETCH_KEYS_MAX,
  FETCH_MS_MAX,
  FIRST_SYNC_MS,
  NODES_MAX,
  RETRY_MS,
  SUMMARY_NODES_MAX,
} from "./limits.ts";
import type { NodeEntry, NodeTable } from "./node_table.ts";
import { isPassing } from "./outbox.ts";
import { decodeSummary, encodeSummary, type SummaryItem } from "./summary.ts";

/** Compares digests: the answer is a summary of what differs. */
const SYNC_VERB = "mesh.sync";
/** Tells of versions that the other one lacks, after that. */
const OFFER_VERB = "mesh.offer";
/** Asks for nodes by key id. */
const FETCH_VERB = "mesh.fetch";

const Bytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array, "Expected bytes");
/** Question of {@link SYNC_VERB}. */
export const DigestsSchema = v.strictObject({ digests: Bytes });
/** Its answer: the buckets that differ, and what is in them. */
export const DifferenceSchema = v.strictObject({ buckets: Bytes, summary: Bytes });
/** What is told by {@link OFFER_VERB}. */
export const SummarySchema = v.strictObject({ summary: Bytes });
/** Key ids one after the other. */
export const KeysSchema = v.strictObject({
  keys: v.pipe(
    Bytes,
    v.check((keys) => keys.length <= FETCH_KEYS_MAX * KEY_ID_BYTES, "Expected fewer keys"),
  ),
});
/** Adverts with the chains of those who made them. */
export const NodesSchema = v.strictObject({
  nodes: v.pipe(
    v.array(v.strictObject({
      advert: Bytes,
      chain: v.pipe(v.array(Bytes), v.maxLength(2)),
      forgotten: v.boolean(),
    })),
    v.maxLength(FETCH_KEYS_MAX),
  ),
});
type ShownNode = v.InferOutput<typeof NodesSchema>["nodes"][number];

export interface ExchangeOptions {
  readonly clock: Clock;
  readonly table: NodeTable;
  readonly intake: Intake;
  readonly self: string;
  readonly verifyChain: (chain: readonly Uint8Array[]) => Identity;
  readonly counts: MeshCounts;
  readonly log: Log;
  /** The neighbour has the very advert that is here. */
  readonly onKnown: (keyId: string, from: string) => void;
}

/** What we lack and one neighbour has. */
interface Neighbour {
  readonly link: Link;
  readonly lacking: Map<string, AdvertVersion>;
  readonly stopping: AbortController;
  asking: boolean;
}

export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #neighbours = new Map<Link, Neighbour>();
  /** Key ids that some neighbour is being asked for. */
  readonly #asked = new Set<string>();
  readonly #running = new Set<Promise<void>>();

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  linkUp(link: Link): void {
    const stopping = new AbortController();
    const neighbour = { link, lacking: new Map(), stopping, asking: false };
    this.#neighbours.set(link, neighbour);
    const { self, table, clock } = this.#options;
    const { keyId } = link.peer.identity;
    // One comparison serves both.
    if (self > keyId) return;
    // What we know of one that was here before may be stale, and is put right at once.
    if (table.get(keyId) !== undefined) return this.sync(link);
    this.#run(neighbour, async () => {
      await clock.sleep(FIRST_SYNC_MS, { signal: stopping.signal });
      await this.#sync(neighbour);
    });
  }

  linkDown(link: Link): void {
    this.#neighbours.get(link)?.stopping.abort();
    this.#neighbours.delete(link);
  }

  /** Begins to compare with the neighbour; again until it was done or the link is gone. */
  sync(link: Link): void {
    const neighbour = this.#neighbours.get(link);
    if (neighbour !== undefined) this.#run(neighbour, () => this.#sync(neighbour));
  }

  /** The neighbour compares its digests with ours. Throws ProtocolError. */
  compared(digests: Uint8Array): v.InferOutput<typeof DifferenceSchema> {
    const { table } = this.#options;
    const { buckets, differing } = differingBuckets(digests, table.entries());
    const summary = encodeSummary(this.#entriesIn(differing, buckets));
    return { buckets: encodeBuckets(differing), summary };
  }

  /** The neighbour has what we may lack; how much of it we know. Throws ProtocolError. */
  offered(link: Link, summary: Uint8Array): number {
    const items = decodeSummary(summary);
    return items.length - this.#compare(link, items);
  }

  /** What the neighbour lacks, as far as it fits. Throws ProtocolError. */
  answer(keys: Uint8Array): ShownNode[] {
    const { table, counts } = this.#options;
    const reader = new ByteReader(keys, "List of keys");
    const nodes: ShownNode[] = [];
    let bytes = 0;
    while (reader.remaining > 0) {
      const entry = table.get(toHex(reader.bytes(KEY_ID_BYTES, "key id")));
      if (entry === undefined) continue;
      bytes += sizeOf(entry);
      if (nodes.length > 0 && bytes > FETCH_BYTES_MAX) break;
      counts.fetchBytesSent += sizeOf(entry);
      const { received: { bytes: advert }, identity, forgotten } = entry;
      nodes.push({ advert, chain: [...identity.chain], forgotten });
    }
    return nodes;
  }

  /** The neighbour spoke of nodes that we know less of. */
  want(link: Link, items: readonly (AdvertVersion & { readonly keyId: string })[]): void {
    const neighbour = this.#neighbours.get(link);
    if (neighbour === undefined || items.length === 0) return;
    for (const item of items) {
      // A neighbour may invent keys without end.
      if (neighbour.lacking.size >= NODES_MAX) break;
      neighbour.lacking.set(item.keyId, item);
    }
    this.#ask(neighbour);
  }

  async stop(): Promise<void> {
    for (const { stopping } of this.#neighbours.values()) stopping.abort();
    this.#neighbours.clear();
    await Promise.all(this.#running);
  }

  async #sync(neighbour: Neighbour): Promise<void> {
    const { link, stopping: { signal } } = neighbour;
    const { table, counts } = this.#options;
    counts.syncs++;
    const buckets = bucketsFor(table.size);
    const digests = digestsOf(table.entries(), buckets);
    const patience = { deadlineMs: FETCH_MS_MAX, signal };
    const reply = await link.request(SYNC_VERB, { digests }, patience);
    const parsed = v.safeParse(DifferenceSchema, reply, { abortEarly: true });
    if (!parsed.success) throw new ProtocolError("Answer to a comparison is malformed");
    const theirs = decodeSummary(parsed.output.summary);
    this.#compare(link, theirs);
    const differing = decodeBuckets(parsed.output.buckets);
    const offer = this.#newerThan(theirs, this.#entriesIn(differing, buckets));
    if (offer.length > 0) {
      await link.request(OFFER_VERB, { summary: encodeSummary(offer) }, patience);
    }
  }

  #entriesIn(wanted: ReadonlySet<number>, buckets: number): NodeEntry[] {
    const { table } = this.#options;
    return [...table.entries()].filter(({ keyId }) => wanted.has(bucketOf(keyId, buckets)))
      // The next comparison brings the others.
      .slice(0, SUMMARY_NODES_MAX);
  }

  /** Those of ours that somebody with these versions lacks. */
  #newerThan(theirs: readonly SummaryItem[], ours: readonly NodeEntry[]): NodeEntry[] {
    const known = new Map(theirs.map((item) => [item.keyId, item]));
    return ours.filter(({ keyId, advert, forgotten }) => {
      const item = known.get(keyId);
      const order = item === undefined ? 1 : compareVersions(advert, item);
      return order > 0 || (order === 0 && forgotten && !item?.forgotten);
    });
  }

  /** How many of them we lack, for which we ask. */
  #compare(link: Link, summary: readonly SummaryItem[]): number {
    const { table, intake, onKnown } = this.#options;
    const peer = link.peer.identity.keyId;
    const lacking: SummaryItem[] = [];
    for (const item of summary) {
      const entry = table.get(item.keyId);
      const order = entry === undefined ? 1 : compareVersions(item, entry.advert);
      if (order > 0) lacking.push(item);
      else if (order === 0 && entry !== undefined) {
        if (!item.forgotten) onKnown(item.keyId, peer);
        // Of ourselves it has to show the advert: we answer with a newer one.
        else if (item.keyId === this.#options.self) lacking.push(item);
        else intake.forget(entry, peer);
      }
    }
    this.want(link, lacking);
    return lacking.length;
  }

  #ask(neighbour: Neighbour): void {
    if (neighbour.asking || neighbour.lacking.size === 0) return;
    neighbour.asking = true;
    this.#run(neighbour, async () => {
      try {
        for (let keys = this.#take(neighbour); keys.length > 0; keys = this.#take(neighbour)) {
          await this.#fetch(neighbour, keys);
        }
        neighbour.asking = false;
      } catch (error) {
        // Who waits to ask again must not be asked at once by the others: they would go on for ever.
        if (!isPassing(error)) neighbour.asking = false;
        throw error;
      }
    });
  }

  /** The next keys to ask for, which nobody else is being asked for. */
  #take({ lacking }: Neighbour): string[] {
    const keys: string[] = [];
    for (const [keyId, version] of lacking) {
      if (keys.length >= FETCH_KEYS_MAX) break;
      if (this.#asked.has(keyId)) continue;
      const entry = this.#options.table.get(keyId);
      const own = keyId === this.#options.self;
      if (!own && entry !== undefined && compareVersions(entry.advert, version) >= 0) {
        lacking.delete(keyId);
      } else keys.push(keyId);
    }
    return keys;
  }

  async #fetch(neighbour: Neighbour, keys: readonly string[]): Promise<void> {
    const { link, lacking, stopping } = neighbour;
    for (const keyId of keys) this.#asked.add(keyId);
    try {
      const asked = new Uint8Array(keys.length * KEY_ID_BYTES);
      keys.forEach((keyId, index) => asked.set(fromHex(keyId), index * KEY_ID_BYTES));
      const reply = await link.request(FETCH_VERB, { keys: asked }, {
        deadlineMs: FETCH_MS_MAX,
        signal: stopping.signal,
      });
      const parsed = v.safeParse(NodesSchema, reply, { abortEarly: true });
      if (!parsed.success) throw new ProtocolError("Answer to a question is malformed");
      const shown = new Set<string>();
      for (const node of parsed.output.nodes) shown.add(this.#learn(node, link));
      // An answer may be full; but a neighbour that shows nothing asked for has no more to show.
      const useful = keys.filter((keyId) => shown.has(keyId));
      for (const keyId of useful.length > 0 ? useful : keys) lacking.delete(keyId);
    } finally {
      for (const keyId of keys) this.#asked.delete(keyId);
      // What this one did not have, another may.
      for (const other of this.#neighbours.values()) if (other !== neighbour) this.#ask(other);
    }
  }

  /** The key id of whose advert it is. */
  #learn({ advert, chain, forgotten }: ShownNode, link: Link): string {
    const { intake, verifyChain, log } = this.#options;
    const from = link.peer.identity.keyId;
    const known = intake.trusted(chain, advert);
    if (known !== undefined) {
      intake.accept(advert, { from, forgotten });
      return known;
    }
    let identity: Identity;
    try {
      identity = verifyChain(chain);
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      // Not its fault: a certificate may have expired or been revoked here and not yet there.
      log("debug", `Node not taken from "${link.peer.identity.name}": ${errorText(error)}`);
      return "";
    }
    if (identity.type !== "node") {
      throw new AuthenticationError("wrong-kind", `"${identity.name}" is a ${identity.type}`);
    }
    intake.accept(advert, { from, forgotten, identity });
    return identity.keyId;
  }

  #run(neighbour: Neighbour, once: () => Promise<void>): void {
    const { stopping } = neighbour;
    const running = this.#untilDone(neighbour, once)
      .catch((error: unknown) => {
        if (stopping.signal.aborted) return;
        const { name } = neighbour.link.peer.identity;
        this.#options.log("warning", `Link to "${name}" is closed: ${errorText(error)}`);
        void neighbour.link.close(errorText(error));
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Passing troubles are waited for. Rejects when the neighbour breaks the rules. */
  async #untilDone({ link, stopping }: Neighbour, once: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await once();
      } catch (error) {
        if (stopping.signal.aborted) return;
        if (isPassing(error)) {
          await this.#options.clock.sleep(RETRY_MS, { signal: stopping.signal });
        } else if (error instanceof CallError) {
          const { name } = link.peer.identity;
          this.#options.log("warning", `"${name}" does not answer well: ${errorText(error)}`);
          return;
        } else if (error instanceof MinimeError) throw error;
        else throw new Error("Comparing with a neighbour failed", { cause: error });
      }
    }
  }
}

function sizeOf({ received: { bytes }, identity }: NodeEntry): number {
  return bytes.length + identity.chain.reduce((sum, each) => sum + each.length, 0);
}
