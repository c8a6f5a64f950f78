/**
 * Conduits on demand: dialled when a packet of class high needs a hop to which there is no link,
 * once for all that wait; kept while they are used, closed when idle. What the other end dialled is
 * used as well. They are no links: nobody watches them but we, and only while something is sent.
 */

import {
  CallError,
  type Clock,
  ConnectionError,
  errorText,
  type Link,
  type Links,
  type Log,
  type Network,
  type Timer,
  withTimeLimit,
} from "../../core/mod.ts";
import { dialEndpoints } from "../shared/dial_endpoints.ts";
import {
  ON_DEMAND_DIAL_MS_MAX,
  ON_DEMAND_DIALS_MAX,
  ON_DEMAND_IDLE_MS,
  ON_DEMAND_LOOK_MS,
  ON_DEMAND_MAX,
  ON_DEMAND_PING_MS,
  TROUBLE_MS,
  TROUBLES_MAX,
} from "./limits.ts";

export interface OnDemandPoolOptions {
  readonly clock: Pick<Clock, "monotonic" | "after" | "sleep" | "now">;
  readonly onDemand: Pick<Links, "get" | "list" | "dial" | "watch">;
  readonly network: Pick<Network, "addresses">;
  readonly log: Log;
  /** Name and endpoints of a node that we may dial; undefined: we may not. */
  readonly whereIs: (
    keyId: string,
  ) => { readonly name: string; readonly endpoints: readonly string[] } | undefined;
  /** Which life of a node is up; undefined: none that we see. */
  readonly instanceOf: (keyId: string) => string | undefined;
}

/** Counts since the start. */
export interface PoolCounts {
  dials: number;
  dialsFailed: number;
  closedIdle: number;
  closedSilent: number;
}

export class OnDemandPool {
  readonly counts: PoolCounts = { dials: 0, dialsFailed: 0, closedIdle: 0, closedSilent: 0 };
  readonly #options: OnDemandPoolOptions;
  readonly #dials = new Map<string, Promise<Link>>();
  /** By key id: until when it is not dialled again, and why. */
  readonly #failures = new Map<string, { readonly until: number; readonly text: string }>();
  /** By key id, monotonic ms: when it was made or the last packet went or came, and our last one. */
  readonly #used = new Map<string, number>();
  readonly #sent = new Map<string, number>();
  readonly #asked = new Set<Promise<void>>();
  /** Closed to make room; closing may take a moment. */
  readonly #leaving = new WeakSet<Link>();
  readonly #stopping = new AbortController();
  readonly #subscription: Disposable;
  #timer: Timer | undefined;

  constructor(options: OnDemandPoolOptions) {
    this.#options = options;
    // Also one over which no packet ever comes is idle some day.
    this.#subscription = options.onDemand.watch(({ kind, link }) => {
      if (kind === "up") this.used(link.peer.identity.keyId, false);
    });
  }

  get(keyId: string): Link | undefined {
    return this.#options.onDemand.get(keyId);
  }

  /** A packet goes or came by the conduit to that node. */
  used(keyId: string, sent: boolean): void {
    const now = this.#options.clock.monotonic();
    this.#used.set(keyId, now);
    if (sent) this.#sent.set(keyId, now);
    this.#lookLater();
  }

  /** What is there, or a new one. Rejects with CallError "unreachable" or "busy". */
  dial(keyId: string): Promise<Link> {
    const link = this.get(keyId);
    if (link !== undefined) return Promise.resolve(link);
    let dial = this.#dials.get(keyId);
    if (dial === undefined) {
      dial = this.#dial(keyId).finally(() => this.#dials.delete(keyId));
      this.#dials.set(keyId, dial);
    }
    return dial;
  }

  /** A conduit to an earlier life of a node leads nowhere, and would keep the new life out. */
  meshChanged(): void {
    const { onDemand, instanceOf } = this.#options;
    for (const link of onDemand.list()) {
      const { identity: { keyId }, instance } = link.peer;
      const present = instanceOf(keyId);
      if (present !== undefined && present !== instance) {
        void link.close("another life of it is up");
      }
    }
  }

  /** Resolves when nothing of it runs any more. The core closes the conduits. */
  async stop(): Promise<void> {
    this.#subscription[Symbol.dispose]();
    this.#timer?.cancel();
    this.#stopping.abort();
    await Promise.allSettled([...this.#dials.values(), ...this.#asked]);
  }

  async #dial(keyId: string): Promise<Link> {
    const { clock, whereIs } = this.#options;
    const failure = this.#failures.get(keyId);
    if (failure !== undefined) {
      if (failure.until > clock.monotonic()) throw new CallError("unreachable", failure.text);
      this.#failures.delete(keyId);
    }
    const node = whereIs(keyId);
    if (node === undefined) throw new CallError("unreachable", "Node is not for us to dial");
    if (this.#dials.size >= ON_DEMAND_DIALS_MAX) {
      throw new CallError("busy", `${ON_DEMAND_DIALS_MAX} dials are under way already`);
    }
    this.#makeRoom();
    this.counts.dials++;
    try {
      return await this.#dialNode(keyId, node);
    } catch (error) {
      this.counts.dialsFailed++;
      const text = `Cannot dial "${node.name}": ${errorText(error)}`;
      this.#remember(keyId, text);
      throw new CallError("unreachable", text, { cause: error });
    }
  }

  async #dialNode(
    keyId: string,
    { name, endpoints }: { readonly name: string; readonly endpoints: readonly string[] },
  ): Promise<Link> {
    const { clock, onDemand, network, log } = this.#options;
    const dial = (endpoint: string, signal: AbortSignal) =>
      onDemand.dial(endpoint, { expect: { keyId }, signal });
    const onFailure = (endpoint: string, error: unknown) =>
      log("debug", `Cannot dial "${name}" at ${endpoint}: ${errorText(error)}`);
    return await withTimeLimit(async (signal) => {
      return await dialEndpoints(endpoints, { clock, network, signal, dial, onFailure });
    }, {
      clock,
      ms: ON_DEMAND_DIAL_MS_MAX,
      late: () => new ConnectionError("timeout", `No answer within ${ON_DEMAND_DIAL_MS_MAX} ms`),
      signal: this.#stopping.signal,
    });
  }

  /**
   * The longest idle ones of those that we dialled go, so that there is room for what is being dialled
   * as well. Throws CallError when too few are idle.
   */
  #makeRoom(): void {
    const { clock } = this.#options;
    const now = clock.monotonic();
    const usedAt = (link: Link) => this.#used.get(link.peer.identity.keyId) ?? 0;
    const dialled = this.#dialled();
    const tooMany = dialled.length + this.#dials.size + 1 - ON_DEMAND_MAX;
    if (tooMany <= 0) return;
    const idle = dialled.filter((link) => now - usedAt(link) >= ON_DEMAND_LOOK_MS)
      .sort((a, b) => usedAt(a) - usedAt(b)).slice(0, tooMany);
    if (idle.length < tooMany) {
      throw new CallError("busy", `All ${ON_DEMAND_MAX} conduits on demand are in use`);
    }
    for (const link of idle) {
      this.counts.closedIdle++;
      this.#leaving.add(link);
      void link.close("another one is needed more");
    }
  }

  /** Those that stay. */
  #dialled(): Link[] {
    return this.#options.onDemand.list()
      .filter((link) => link.dialled && !this.#leaving.has(link));
  }

  #remember(keyId: string, text: string): void {
    if (this.#failures.size >= TROUBLES_MAX) this.#failures.clear();
    this.#failures.set(keyId, { until: this.#options.clock.monotonic() + TROUBLE_MS, text });
  }

  #lookLater(): void {
    if (this.#timer !== undefined || this.#stopping.signal.aborted) return;
    this.#timer = this.#options.clock.after(ON_DEMAND_LOOK_MS, () => {
      this.#timer = undefined;
      this.#look();
    });
  }

  #look(): void {
    const { onDemand, clock } = this.#options;
    const now = clock.monotonic();
    for (const keyId of this.#used.keys()) {
      const link = onDemand.get(keyId);
      if (link === undefined) {
        this.#used.delete(keyId);
        this.#sent.delete(keyId);
        continue;
      }
      const idleMs = now - (this.#used.get(keyId) as number);
      // Whoever dialled closes it, unless it has lost power: then nobody else would.
      const others = link.dialled ? 0 : 2 * ON_DEMAND_LOOK_MS;
      if (idleMs >= ON_DEMAND_IDLE_MS + others) {
        this.counts.closedIdle++;
        void link.close("idle");
      } else if ((this.#sent.get(keyId) ?? 0) > link.heardAt && now - link.heardAt > idleMs) {
        if (now - link.heardAt >= ON_DEMAND_LOOK_MS) this.#ask(link);
      }
    }
    if (this.#used.size > 0) this.#lookLater();
  }

  /** Whoever is silent while we send must at least answer a ping. */
  #ask(link: Link): void {
    const options = { deadlineMs: ON_DEMAND_PING_MS, signal: this.#stopping.signal };
    const asked = link.request("core.ping", {}, options).then(() => {}, () => {
      if (this.#stopping.signal.aborted) return;
      this.counts.closedSilent++;
      void link.close("silent for too long");
    }).finally(() => this.#asked.delete(asked));
    this.#asked.add(asked);
  }
}
