/**
 * Makes the links that there should be, and makes them again when they are lost, for ever, with
 * backoff and jitter: a partition of any length heals by itself. Both ends of a missing link learn
 * of it at once, so the smaller key id dials first and the larger only when that came to nothing.
 */

import {
  AuthenticationError,
  type Clock,
  type CloseReason,
  errorText,
  type Link,
  type Links,
  type Log,
  type Network,
  type Random,
  type Timer,
} from "../../core/mod.ts";
import { dialLink } from "../shared/dial_link.ts";
import { nearestFirst } from "../shared/nearest_endpoints.ts";
import type { MeshCounts } from "./counts.ts";
import {
  BACKOFF_MS_MAX,
  BACKOFF_MS_MIN,
  DIAL_JITTER_MS,
  DIAL_LATER_MS,
  DIAL_MS_MAX,
  DIALS_MAX,
  LINK_STABLE_MS,
  SEED_LATER_MS,
  SEEDS_AT_FULL_PACE,
} from "./limits.ts";
import { chance, lessByChance } from "../shared/chance.ts";
import type { WantedLink } from "./topology.ts";

export interface LinkerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly links: Pick<Links, "dial" | "get">;
  readonly network: Pick<Network, "addresses">;
  readonly self: string;
  readonly counts: MeshCounts;
  readonly log: Log;
}

interface Target {
  wanted: WantedLink;
  /** Since the link stood for a while. */
  attempts: number;
  /** Monotonic ms: not dialled before. */
  dueAt: number;
  dialling: boolean;
  /** Monotonic ms: when its link came up. */
  upAt: number | undefined;
  /** The last one that was logged, so that each is logged once. */
  problem: string | undefined;
}

export class Linker {
  readonly #options: LinkerOptions;
  readonly #targets = new Map<string, Target>();
  readonly #dials = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();
  #timer: Timer | undefined;
  #started = false;
  #seedsMissing = 0;

  constructor(options: LinkerOptions) {
    this.#options = options;
  }

  /** Which links there should be from now on, by key id. Those wanted first are dialled at once. */
  update(wanted: ReadonlyMap<string, WantedLink>): void {
    for (const keyId of [...this.#targets.keys()]) {
      if (!wanted.has(keyId)) this.#targets.delete(keyId);
    }
    const now = this.#options.clock.monotonic();
    for (const [keyId, one] of wanted) {
      const target = this.#targets.get(keyId);
      if (target === undefined) {
        this.#targets.set(keyId, {
          wanted: one,
          attempts: 0,
          dueAt: now + this.#firstWait(one),
          dialling: false,
          upAt: undefined,
          problem: undefined,
        });
        continue;
      }
      if (one.rank === 0 && target.wanted.rank !== 0) {
        target.attempts = 0;
        target.dueAt = Math.min(target.dueAt, now + this.#turn(keyId));
      }
      target.wanted = one;
    }
    this.#started = true;
    this.#seedsMissing = [...wanted.values()].filter(({ rank }) => rank === 1).length;
    this.#pump();
  }

  /** Whether all links stand that are wanted with nodes that are up. */
  get isWhole(): boolean {
    const { links } = this.#options;
    return [...this.#targets].every(([keyId, { wanted }]) =>
      wanted.rank !== 0 || links.get(keyId) !== undefined
    );
  }

  /** One attempt, whatever is wanted; nothing when too many are under way already. */
  tryOnce(wanted: WantedLink): void {
    if (this.#dials.size >= DIALS_MAX || this.#options.links.get(wanted.keyId) !== undefined) {
      return;
    }
    this.#run(this.#dialEndpoints({ wanted, problem: undefined }));
  }

  linkUp(link: Link): void {
    const target = this.#targets.get(link.peer.identity.keyId);
    if (target === undefined) return;
    target.upAt = this.#options.clock.monotonic();
    target.problem = undefined;
  }

  linkDown(link: Link, reason: CloseReason): void {
    const { keyId } = link.peer.identity;
    const target = this.#targets.get(keyId);
    if (target === undefined) return;
    const now = this.#options.clock.monotonic();
    if (target.upAt !== undefined && now - target.upAt >= LINK_STABLE_MS) target.attempts = 0;
    target.upAt = undefined;
    // Whoever says goodbye is not there a moment later.
    if (reason.by === "peer") target.attempts = Math.max(1, target.attempts);
    target.dueAt = now + this.#turn(keyId) + (target.attempts > 0 ? this.#backoff(target) : 0);
    target.attempts++;
    this.#pump();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#stopping.abort();
    this.#targets.clear();
    await Promise.all(this.#dials);
  }

  /** Begins the dials that are due, best first, and sleeps until the next one is. */
  #pump(): void {
    this.#timer?.cancel();
    if (this.#stopping.signal.aborted) return;
    const { clock, links } = this.#options;
    const now = clock.monotonic();
    const missing = [...this.#targets].filter(([keyId, { dialling }]) =>
      !dialling && links.get(keyId) === undefined
    );
    const due = missing.filter(([, { dueAt }]) => dueAt <= now)
      .sort(([, a], [, b]) => a.wanted.rank - b.wanted.rank || a.dueAt - b.dueAt);
    for (const [, target] of due) {
      if (this.#dials.size >= DIALS_MAX) return;
      this.#run(this.#dial(target));
    }
    let next = Infinity;
    for (const [, { dueAt, dialling }] of missing) {
      if (!dialling) next = Math.min(next, dueAt);
    }
    if (next < Infinity) this.#timer = clock.after(next - now, () => this.#pump());
  }

  #run(dialled: Promise<unknown>): void {
    const dial: Promise<unknown> = dialled.finally(() => {
      this.#dials.delete(dial);
      this.#pump();
    });
    this.#dials.add(dial);
  }

  /** Never rejects. */
  async #dial(target: Target): Promise<void> {
    target.dialling = true;
    const isUp = await this.#dialEndpoints(target);
    target.dialling = false;
    if (isUp || this.#stopping.signal.aborted) return;
    target.dueAt = this.#options.clock.monotonic() + this.#backoff(target);
    target.attempts++;
  }

  /** Whether one of them led to a link, the nearest first. Never rejects. */
  async #dialEndpoints(target: Pick<Target, "wanted" | "problem">): Promise<boolean> {
    const { counts, network } = this.#options;
    for (const endpoint of nearestFirst(target.wanted.endpoints, network)) {
      counts.dials++;
      try {
        await this.#dialEndpoint(endpoint, target.wanted.keyId);
        return true;
      } catch (error) {
        if (this.#stopping.signal.aborted) return false;
        counts.dialsFailed++;
        this.#report(target, endpoint, error);
      }
    }
    return false;
  }

  async #dialEndpoint(endpoint: string, keyId: string): Promise<void> {
    const { signal } = this.#stopping;
    await dialLink(this.#options, { endpoint, expect: { keyId }, ms: DIAL_MS_MAX, signal });
  }

  /** Whoever is refused should know; whoever is merely absent will come. */
  #report(target: Pick<Target, "wanted" | "problem">, endpoint: string, error: unknown): void {
    const { name } = target.wanted;
    const text = `Cannot link to "${name}" at ${endpoint}: ${errorText(error)}`;
    if (text === target.problem) return;
    target.problem = text;
    this.#options.log(error instanceof AuthenticationError ? "warning" : "debug", text);
  }

  /** How long to leave the other end its chance to dial first. */
  #turn(keyId: string): number {
    const first = this.#options.self < keyId ? 0 : DIAL_LATER_MS;
    return first + this.#chance() * DIAL_JITTER_MS;
  }

  /** Of a node that is wanted from now on. Nobody waits for a daemon that has just started. */
  #firstWait({ keyId, later }: WantedLink): number {
    if (later) return SEED_LATER_MS * (0.5 + this.#chance());
    return this.#started ? this.#turn(keyId) : 0;
  }

  #backoff({ attempts, wanted }: Target): number {
    // A file may name thousands of seeds: together they cost no more than a few.
    const share = wanted.rank === 1 ? Math.max(1, this.#seedsMissing / SEEDS_AT_FULL_PACE) : 1;
    const most = Math.min(BACKOFF_MS_MAX * share, BACKOFF_MS_MIN * 2 ** Math.min(attempts, 16));
    return lessByChance(most, this.#options.random);
  }

  #chance(): number {
    return chance(this.#options.random);
  }
}
