/**
 * Places where nodes of the mesh may be, as somebody on the network has said: few, since anybody
 * can say anything, and none is believed. Which is dropped when there are too many: the one that was
 * tried in vain most often, so that false ones do not push out what is new.
 */

import type { Clock } from "../../core/mod.ts";
import {
  BACKOFF_MS_MAX,
  BACKOFF_MS_MIN,
  CANDIDATE_MS_MAX,
  CANDIDATES_MAX,
  CANDIDATES_PER_HOST_MAX,
  CANDIDATES_PER_KEY_MAX,
} from "./limits.ts";

/** Who may be where. */
export interface Place {
  readonly keyId: string;
  readonly host: string;
  readonly port: number;
}

/** A place, and what became of it. */
export interface Candidate extends Place {
  /** Attempts that failed. */
  attempts: number;
  /** Monotonic ms: when somebody spoke of it last. */
  heardAt: number;
  /** Monotonic ms: not tried before. */
  dueAt: number;
  trying: boolean;
}

export class Candidates {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #byPlace = new Map<string, Candidate>();

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#byPlace.size;
  }

  /** Somebody spoke of it; a new one is due in `ms`. */
  hear(place: Place, ms: number): void {
    const now = this.#clock.monotonic();
    this.#forgetOld(now);
    const known = this.#byPlace.get(textOf(place));
    if (known !== undefined) {
      known.heardAt = now;
      return;
    }
    this.#makeRoom((each) => each.keyId === place.keyId, CANDIDATES_PER_KEY_MAX);
    this.#makeRoom((each) => each.host === place.host, CANDIDATES_PER_HOST_MAX);
    this.#makeRoom(() => true, CANDIDATES_MAX);
    const { keyId, host, port } = place;
    const candidate = { keyId, host, port, attempts: 0, heardAt: now, dueAt: now + ms };
    this.#byPlace.set(textOf(place), { ...candidate, trying: false });
  }

  /** Those that may be tried now, the longest due first. */
  due(): Candidate[] {
    const now = this.#clock.monotonic();
    return [...this.#byPlace.values()]
      .filter(({ trying, dueAt }) => !trying && dueAt <= now)
      .sort((a, b) => a.dueAt - b.dueAt);
  }

  /** Ms until the next one is due; undefined: none will be. */
  nextInMs(): number | undefined {
    const times = [...this.#byPlace.values()].flatMap((each) => each.trying ? [] : [each.dueAt]);
    return times.length === 0 ? undefined : Math.min(...times) - this.#clock.monotonic();
  }

  /** It was tried in vain. `chance`: from 0 to below 1. One that is `false` waits the longest. */
  failed(candidate: Candidate, options: { chance: number; isFalse: boolean }): void {
    const now = this.#clock.monotonic();
    candidate.trying = false;
    const most = options.isFalse ? BACKOFF_MS_MAX : BACKOFF_MS_MIN * 2 ** candidate.attempts;
    candidate.dueAt = now + Math.min(BACKOFF_MS_MAX, most) * (1 - options.chance / 2);
    candidate.attempts++;
    this.#forgetOld(now);
  }

  /** Nobody has to look for that node any more. */
  remove(keyId: string): void {
    for (const [text, each] of this.#byPlace) if (each.keyId === keyId) this.#byPlace.delete(text);
  }

  #forgetOld(now: number): void {
    for (const [text, { heardAt, trying }] of this.#byPlace) {
      if (!trying && now - heardAt > CANDIDATE_MS_MAX) this.#byPlace.delete(text);
    }
  }

  #makeRoom(counts: (candidate: Candidate) => boolean, max: number): void {
    const those = [...this.#byPlace.values()].filter(counts);
    if (those.length < max) return;
    const worst = those.reduce((a, b) => isWorse(b, a) ? b : a);
    this.#byPlace.delete(textOf(worst));
  }
}

function isWorse(a: Candidate, b: Candidate): boolean {
  return a.attempts > b.attempts || (a.attempts === b.attempts && a.heardAt < b.heardAt);
}

function textOf({ keyId, host, port }: Place): string {
  return `${keyId} ${host}:${port}`;
}
