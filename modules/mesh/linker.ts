/**
 * Makes the links that there should be, and makes them again when they are lost, for ever, with
 * backoff and jitter: a partition of any length heals by itself. Both ends of a missing link learn
 * of it at once, so the smaller key id dials first and the larger only when that came to nothing.
 */

import {
  AuthenticationError,
  type Clock,
  type CloseReason,
  ConnectionError,
  errorText,
  type Link,
  type Links,
  type Log,
  type Random,
  type Timer,
  withTimeLimit,
} from "../../core/mod.ts";
import type { MeshCounts } from "./counts.ts";
import {
  BACKOFF_MS_MAX,
  BACKOFF_MS_MIN,
  DIAL_JITTER_MS,
  DIAL_LATER_MS,
  DIAL_MS_MAX,
  DIALS_MAX,
  LINK_STABLE_MS,
} from "./limits.ts";
import { chance } from "./chance.ts";
import type { WantedLink } from "./topology.ts";

export interface LinkerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly links: Pick<Links, "dial" | "get">;
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
  readonly #dials = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  #timer: Timer | undefined;
  #started = false;

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
          // Nobody waits for a daemon that has just started.
          dueAt: this.#started ? now + this.#turn(keyId) : now,
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
    this.#pump();
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
      const dial = this.#dial(target).finally(() => {
        this.#dials.delete(dial);
        this.#pump();
      });
      this.#dials.add(dial);
    }
    let next = Infinity;
    for (const [, { dueAt, dialling }] of missing) {
      if (!dialling) next = Math.min(next, dueAt);
    }
    if (next < Infinity) this.#timer = clock.after(next - now, () => this.#pump());
  }

  /** Over its endpoints in their order. Never rejects. */
  async #dial(target: Target): Promise<void> {
    const { counts, clock } = this.#options;
    target.dialling = true;
    for (const endpoint of target.wanted.endpoints) {
      counts.dials++;
      try {
        await this.#dialEndpoint(endpoint, target.wanted.keyId);
        target.dialling = false;
        return;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        counts.dialsFailed++;
        this.#report(target, endpoint, error);
      }
    }
    target.dialling = false;
    target.dueAt = clock.monotonic() + this.#backoff(target);
    target.attempts++;
  }

  async #dialEndpoint(endpoint: string, keyId: string): Promise<void> {
    const { clock, links } = this.#options;
    await withTimeLimit((signal) => links.dial(endpoint, { expect: { keyId }, signal }), {
      clock,
      ms: DIAL_MS_MAX,
      late: () => new ConnectionError("timeout", `No answer within ${DIAL_MS_MAX} ms`),
      signal: this.#stopping.signal,
    });
  }

  /** Whoever is refused should know; whoever is merely absent will come. */
  #report(target: Target, endpoint: string, error: unknown): void {
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

  #backoff({ attempts }: Target): number {
    const most = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.min(attempts, 16));
    return most * (1 - this.#chance() / 2);
  }

  #chance(): number {
    return chance(this.#options.random);
  }
}
