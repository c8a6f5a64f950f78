/**
 * How many handshakes of strangers are answered: half of what a second allows goes to whoever comes
 * first, the other half in equal parts to the neighbours that brought some, and of each neighbour's
 * part in equal parts to the sources that its packets name. So one that asks all the time leaves the
 * others theirs. A source is only claimed; who invents many thins out the part of its own neighbour.
 */

import type { Clock } from "../../../core/mod.ts";
import { ANSWER_SOURCES_MAX, ANSWERS_PER_SECOND_MAX } from "./limits.ts";

const PERIOD_MS = 1_000;
const SHARED_OUT = ANSWERS_PER_SECOND_MAX / 2;
/** Sources that have no place of their own share one. */
const OTHERS = "others";

/** Who brought a stream, and whom its first packet names as its maker; key ids. */
export interface StreamOrigin {
  readonly neighbour: string;
  readonly source: string;
}

/** Of one neighbour, in one period: what it had of its own part. */
interface Share {
  taken: number;
  /** Answers by source. */
  readonly sources: Map<string, number>;
  /** Sources in this period and the one before. */
  sourceCount: number;
}

export class AnswerQuota {
  readonly #clock: Pick<Clock, "monotonic">;
  #since: number;
  /** Of the half that is nobody's. */
  #common = 0;
  /** Sources that have a place, over all neighbours. */
  #places = 0;
  #shares = new Map<string, Share>();
  /** Of the period before: who asked then is expected to ask again. */
  #before: ReadonlyMap<string, Share> = new Map();
  /** Neighbours in both. */
  #neighbourCount = 0;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  /** False when this one is too many. */
  take({ neighbour, source }: StreamOrigin): boolean {
    this.#turnOver();
    const share = this.#shareOf(neighbour);
    const place = this.#placeOf(share, neighbour, source);
    const own = share.sources.get(place) ?? 0;
    // One in a second everybody has, however many they are.
    const part = Math.max(1, SHARED_OUT / this.#neighbourCount);
    const isOwed = share.taken < part && own < Math.max(1, part / share.sourceCount);
    if (isOwed) {
      share.taken++;
      share.sources.set(place, own + 1);
      return true;
    }
    return ++this.#common <= ANSWERS_PER_SECOND_MAX - SHARED_OUT;
  }

  #shareOf(neighbour: string): Share {
    let share = this.#shares.get(neighbour);
    if (share === undefined) {
      const before = this.#before.get(neighbour);
      share = { taken: 0, sources: new Map(), sourceCount: before?.sources.size ?? 0 };
      this.#shares.set(neighbour, share);
      if (before === undefined) this.#neighbourCount++;
    }
    return share;
  }

  #placeOf(share: Share, neighbour: string, source: string): string {
    const place = share.sources.has(source) || this.#places < ANSWER_SOURCES_MAX ? source : OTHERS;
    if (share.sources.has(place)) return place;
    share.sources.set(place, 0);
    this.#places++;
    if (!this.#before.get(neighbour)?.sources.has(place)) share.sourceCount++;
    return place;
  }

  #turnOver(): void {
    const passed = this.#clock.monotonic() - this.#since;
    if (passed < PERIOD_MS) return;
    this.#before = passed < 2 * PERIOD_MS ? this.#shares : new Map();
    this.#shares = new Map();
    this.#neighbourCount = this.#before.size;
    this.#common = this.#places = 0;
    this.#since += Math.floor(passed / PERIOD_MS) * PERIOD_MS;
  }
}
