/**
 * Closes links that the graph does not ask for: first ones of a newcomer, ways back that a heal has
 * used, leftovers of another shape. Not at once, and only when both ends agree: each of them misses
 * the link nowhere, has all links that it wants, and has nothing under way on it. The end with the
 * smaller key id asks (`mesh.spare`); so a link goes once, and nobody dials it again.
 */

import {
  CallError,
  type Clock,
  errorText,
  type Link,
  type Log,
  type Timer,
} from "../../core/mod.ts";
import { SILENCE_MS_MAX, SURPLUS_AGAIN_MS, SURPLUS_MS } from "./limits.ts";

/** Asks whether the neighbour could spare the link over which it is asked. */
const SPARE_VERB = "mesh.spare";

export interface TrimmerOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly self: string;
  readonly links: () => readonly Link[];
  /** Whether the graph lets us keep the link. */
  readonly isKept: (keyId: string) => boolean;
  /** Whether all links stand that the graph asks for. */
  readonly isWhole: () => boolean;
}

export class Trimmer {
  readonly #options: TrimmerOptions;
  /** Monotonic ms: when to ask for each link that is not kept. */
  readonly #dueAt = new Map<Link, number>();
  readonly #stopping = new AbortController();
  #timer: Timer | undefined;

  constructor(options: TrimmerOptions) {
    this.#options = options;
  }

  /** Links or the graph are others now. */
  update(): void {
    const { self, links, isKept } = this.#options;
    const surplus = new Set(
      links().filter(({ peer }) => self < peer.identity.keyId && !isKept(peer.identity.keyId)),
    );
    for (const link of [...this.#dueAt.keys()]) if (!surplus.has(link)) this.#dueAt.delete(link);
    const dueAt = this.#turnAfter(SURPLUS_MS);
    for (const link of surplus) if (!this.#dueAt.has(link)) this.#dueAt.set(link, dueAt);
    this.#sleep();
  }

  /** The neighbour asks. The question itself is under way on the link. */
  couldSpare(link: Link): boolean {
    return !this.#options.isKept(link.peer.identity.keyId) && this.#options.isWhole() &&
      link.underWay <= 1;
  }

  stop(): void {
    this.#stopping.abort();
    this.#timer?.cancel();
    this.#dueAt.clear();
  }

  #sleep(): void {
    this.#timer?.cancel();
    if (this.#dueAt.size === 0 || this.#stopping.signal.aborted) return;
    const { clock } = this.#options;
    const wait = Math.min(...this.#dueAt.values()) - clock.monotonic();
    this.#timer = clock.after(Math.max(0, wait), () => this.#trim());
  }

  /** Monotonic ms: the first moment at which all ask, after so long. */
  #turnAfter(ms: number): number {
    const { clock } = this.#options;
    const now = clock.now();
    const turn = Math.ceil((now + ms) / SURPLUS_AGAIN_MS) * SURPLUS_AGAIN_MS;
    return clock.monotonic() + turn - now;
  }

  /** All that are due: one advert tells of all of them. */
  #trim(): void {
    const { clock, isWhole } = this.#options;
    const now = clock.monotonic();
    // Timers are late, and clocks are set: from this turn to the next it need not be exactly as long.
    const again = this.#turnAfter(SURPLUS_AGAIN_MS / 2);
    for (const [link, dueAt] of this.#dueAt) {
      if (dueAt > now) continue;
      this.#dueAt.set(link, again);
      if (isWhole() && link.underWay === 0) void this.#ask(link);
    }
    this.#sleep();
  }

  /** Never rejects. */
  async #ask(link: Link): Promise<void> {
    const { log, isKept } = this.#options;
    const { name, keyId } = link.peer.identity;
    try {
      const reply = await link.request(SPARE_VERB, {}, {
        deadlineMs: SILENCE_MS_MAX,
        signal: this.#stopping.signal,
      });
      const spare = (reply as { readonly spare?: unknown } | undefined)?.spare === true;
      if (!spare || isKept(keyId) || link.underWay > 0) return;
      log("debug", `Link to "${name}" is not needed any more`);
      await link.close("not needed by either end");
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      if (this.#stopping.signal.aborted) return;
      log("debug", `"${name}" does not say whether it needs our link: ${errorText(error)}`);
    }
  }
}
