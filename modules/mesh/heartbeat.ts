/**
 * Notices links whose peer is silent: a machine without power, a frozen process, a cable cut. Each
 * end of a link says every few seconds that it is there, and takes whatever it hears for a sign of
 * life. A process that was itself stalled judges nobody: what others sent may lie unread, so it listens
 * anew. One that stalls again and again does so for a while only: it would never judge anybody.
 */

import * as v from "valibot";
import {
  type Clock,
  errorText,
  type Link,
  type Log,
  PRIORITY,
  type Timer,
} from "../../core/mod.ts";
import {
  CLOCK_DOUBT_MS,
  HEARTBEAT_MS,
  READ_MS,
  ROUND_TRIP_BEATS,
  SILENCE_MS_MAX,
  SLOW_MS,
  STALL_MS,
  STALLS_MS_MAX,
} from "./limits.ts";

/** Says that we are there and what our wall clock shows: an event costs one small message, no timer. */
const BEAT_VERB = "mesh.beat";
/** Measures the way there and back. */
const PING_VERB = "core.ping";
const PongSchema = v.object({ unixMs: v.pipe(v.number(), v.finite()) });

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly links: () => readonly Link[];
  readonly log: Log;
  readonly onSilent: (link: Link) => void;
}

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #roundTrips = new WeakMap<Link, number>();
  /** Measured as they came up alone. */
  readonly #young = new WeakSet<Link>();
  readonly #stopping = new AbortController();
  #timer: Timer | undefined;
  #beatAt: number;
  #wakeAt = 0;
  /** Monotonic ms: end of our last stall, and of the first one of those that follow each other. */
  #stalledAt = -Infinity;
  #stallsAt = -Infinity;
  #beats = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#beatAt = this.#nextBeat();
    this.#sleep(this.#beatAt);
  }

  /** Milliseconds there and back, as measured last. */
  roundTripMs(link: Link): number | undefined {
    return this.#roundTrips.get(link);
  }

  linkUp(link: Link): void {
    this.#young.add(link);
    this.#measure(link);
  }

  /**
   * A neighbour's beat. It cannot have come before it was sent, so a clock that is ahead of what we
   * thought is believed. One that is behind may as well have lain in a buffer while we were frozen:
   * that is found out by asking.
   */
  heard(link: Link, unixMs: number): void {
    const behindMs = link.peerNow - unixMs;
    if (behindMs < 0) link.hearClock(unixMs);
    else if (behindMs > CLOCK_DOUBT_MS) this.#measure(link);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#stopping.abort();
  }

  #sleep(until: number): void {
    const { clock } = this.#options;
    this.#wakeAt = until;
    this.#timer = clock.after(Math.max(0, until - clock.monotonic()), () => this.#wake());
  }

  #wake(): void {
    const { clock, links, onSilent } = this.#options;
    const now = clock.monotonic();
    const isStalled = now - this.#wakeAt > STALL_MS;
    if (isStalled) {
      if (now - this.#stalledAt > SILENCE_MS_MAX) this.#stallsAt = now;
      this.#stalledAt = now;
    }
    const anewAt = Math.min(this.#stalledAt, this.#stallsAt + STALLS_MS_MAX);
    if (now >= this.#beatAt) {
      this.#beat(links());
      this.#beatAt = this.#nextBeat();
    }
    let next = this.#beatAt;
    for (const link of links()) {
      const silentAt = Math.max(link.heardAt, anewAt) + SILENCE_MS_MAX;
      if (silentAt > now) next = Math.min(next, silentAt);
      // What has come meanwhile is read first.
      else if (isStalled) next = Math.min(next, now + READ_MS);
      else onSilent(link);
    }
    this.#sleep(next);
  }

  /** At the same time by all clocks: to wake for one beat costs far more than to read all of them. */
  #nextBeat(): number {
    const { clock } = this.#options;
    return clock.monotonic() + HEARTBEAT_MS - clock.now() % HEARTBEAT_MS;
  }

  #beat(links: readonly Link[]): void {
    const { clock } = this.#options;
    const turn = this.#beats++ % ROUND_TRIP_BEATS;
    links.forEach((link, index) => {
      // Not all in the same beat.
      if (index % ROUND_TRIP_BEATS === turn) return this.#measure(link);
      // It may have been measured in a busy moment: in a boot all links are.
      const isDoubted = this.#young.delete(link) || (this.#roundTrips.get(link) ?? 0) > SLOW_MS;
      if (isDoubted) this.#measure(link);
      link.tell(BEAT_VERB, { unixMs: clock.now() }).catch((error: unknown) =>
        this.#failed(link, error)
      );
    });
  }

  #measure(link: Link): void {
    const { clock } = this.#options;
    const start = clock.monotonic();
    link.request(PING_VERB, undefined, {
      deadlineMs: SILENCE_MS_MAX,
      priority: PRIORITY.control,
      signal: this.#stopping.signal,
    }).then(
      (reply) => {
        const ms = clock.monotonic() - start;
        this.#roundTrips.set(link, ms);
        const parsed = v.safeParse(PongSchema, reply);
        if (!parsed.success || ms > CLOCK_DOUBT_MS) return;
        const { unixMs } = parsed.output;
        // Its clock shows now what it said, and up to the whole way more: we may know it better already.
        const isLikely = link.peerNow >= unixMs && link.peerNow <= unixMs + ms;
        if (!isLikely) link.hearClock(unixMs);
      },
      (error: unknown) => this.#failed(link, error),
    );
  }

  /** No judgement: the link ends by itself, or by silence. */
  #failed(link: Link, error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    const { name } = link.peer.identity;
    this.#options.log("debug", `No sign of life to or from "${name}": ${errorText(error)}`);
  }
}
