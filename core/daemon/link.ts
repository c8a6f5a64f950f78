/**
 * One link: the conduit that carries it may be exchanged for another one to the same peer (both
 * ends dialled at once) without anybody noticing but the two cores. The link is down only when none
 * of its conduits is left that could carry it.
 */

import type { CloseReason } from "../conduit/conduit.ts";
import type { Clock } from "../environment/environment.ts";
import { CallError } from "../errors.ts";
import { LINK_DRAIN_MS } from "../limits.ts";
import { PRIORITY, type Priority } from "../wire/message.ts";
import type { Call, CallOptions } from "./call.ts";
import type { Calls } from "./calls.ts";
import type { BulkHalf, Link, NodePeer } from "./links.ts";

/** A conduit of a link, and the calls on it. */
export interface LinkConduit {
  readonly calls: Calls;
  /** Its identity is replaced when the peer renews its certificate. */
  peer: NodePeer;
  readonly dialled: boolean;
  readonly endpoint: string;
}

/** What a link needs of its table. */
export interface LinkOptions {
  readonly clock: Pick<Clock, "now" | "monotonic" | "sleep">;
  /** Resolves once the bulk half was dialled, by us or at our request; rejects when it cannot be. */
  readonly dialBulk: (link: StandingLink) => Promise<void>;
}

export class StandingLink implements Link {
  readonly since: number;
  readonly closed: Promise<CloseReason>;
  /** All that are open, bulk halves and surplus ones too, in the order in which they came. */
  readonly #conduits = new Set<LinkConduit>();
  #carrier: LinkConduit;
  #opening: Promise<BulkHalf> | undefined;
  #isClosing = false;
  #bulkCame: (() => void) | undefined;
  readonly #options: LinkOptions;
  /** The peer's wall clock, less our monotonic one. */
  #peerClockMs: number;
  #resolveClosed: (reason: CloseReason) => void = () => {};

  constructor(first: LinkConduit, options: LinkOptions) {
    this.#carrier = first;
    this.#conduits.add(first);
    const { clock } = options;
    this.since = clock.now();
    this.#peerClockMs = this.since + first.peer.clockOffsetMs - clock.monotonic();
    this.#options = options;
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
  }

  get peer(): NodePeer {
    return this.#carrier.peer;
  }

  get dialled(): boolean {
    return this.#carrier.dialled;
  }

  get endpoint(): string {
    return this.#carrier.endpoint;
  }

  get heardAt(): number {
    let heardAt = this.#carrier.calls.heardAt;
    for (const { calls } of this.#conduits) heardAt = Math.max(heardAt, calls.heardAt);
    return heardAt;
  }

  get peerNow(): number {
    return this.#peerClockMs + this.#options.clock.monotonic();
  }

  hearClock(unixMs: number): void {
    this.#peerClockMs = unixMs - this.#options.clock.monotonic();
  }

  get underWay(): number {
    let count = 0;
    for (const { calls } of this.#conduits) count += calls.incomingCount + calls.outgoingCount;
    return count;
  }

  /** What carries the link now. */
  get carrier(): LinkConduit {
    return this.#carrier;
  }

  get size(): number {
    return this.#conduits.size;
  }

  /** Whoever closed it has done with it, though its conduits may take a while: it gets no more of them. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  request(verb: string, args?: unknown, options?: CallOptions): Promise<unknown> {
    return this.#carrier.calls.request(verb, args, options);
  }

  stream(verb: string, args?: unknown, options?: CallOptions): Call {
    return this.#carrier.calls.stream(verb, args, options);
  }

  tell(verb: string, args: unknown, priority: Priority = PRIORITY.control): Promise<void> {
    return this.#carrier.calls.tell(verb, args, priority);
  }

  bulk(): Promise<BulkHalf> {
    const here = this.#bulkCalls();
    if (here !== undefined) return Promise.resolve(here);
    this.#opening ??= this.#openBulk().finally(() => this.#opening = undefined);
    return this.#opening;
  }

  async close(text: string): Promise<void> {
    this.#isClosing = true;
    await Promise.all([...this.#conduits].map(({ calls }) => calls.close(text)));
  }

  /** For the table alone: one more conduit. */
  add(conduit: LinkConduit): void {
    this.#conduits.add(conduit);
    if (conduit.peer.bulk) this.#bulkCame?.();
  }

  /** For the table alone: this conduit, one of ours, carries the link from now on. */
  carryBy(conduit: LinkConduit): void {
    this.#carrier = conduit;
  }

  /** For the table alone: the peer has renewed its certificate. */
  renew(identity: NodePeer["identity"]): void {
    for (const conduit of this.#conduits) conduit.peer = { ...conduit.peer, identity };
  }

  /** For the table alone: the conduit is over. Returns another one that could carry the link. */
  drop(conduit: LinkConduit): LinkConduit | undefined {
    this.#conduits.delete(conduit);
    return [...this.#conduits].find(({ peer }) => !peer.bulk);
  }

  /** For the table alone: nothing carries the link any more. */
  end(reason: CloseReason): void {
    this.#resolveClosed(reason);
    for (const { calls } of this.#conduits) void calls.close(reason.text);
  }

  #bulkCalls(): Calls | undefined {
    return [...this.#conduits].find(({ peer }) => peer.bulk)?.calls;
  }

  async #openBulk(): Promise<BulkHalf> {
    const { clock, dialBulk } = this.#options;
    const came = new Promise<void>((resolve) => this.#bulkCame = resolve);
    await dialBulk(this);
    // The end that was dialled may hear that all is done just before it has taken the conduit over.
    const enough = new AbortController();
    const late = clock.sleep(LINK_DRAIN_MS, { signal: enough.signal });
    await Promise.race([came, this.closed, late]).finally(() => enough.abort());
    const calls = this.#bulkCalls();
    if (calls !== undefined) return calls;
    throw new CallError(
      "unreachable",
      `Bulk half of the link to "${this.peer.identity.name}" is gone`,
    );
  }
}
