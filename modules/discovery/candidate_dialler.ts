/**
 * Knocks at the places where nodes may be, until each is up. That there is a node of this mesh, with
 * this very key, the handshake proves; which links stay, the mesh module decides. A false place costs
 * one failed handshake now and then until it is forgotten.
 */

import {
  AuthenticationError,
  type Environment,
  errorText,
  formatEndpoint,
  type Link,
  type Links,
  type Log,
  RateLimit,
  type Timer,
} from "../../core/mod.ts";
import { chance, lessByChance } from "../shared/chance.ts";
import { dialLink } from "../shared/dial_link.ts";
import { type Candidate, Candidates, type Place } from "./candidates.ts";
import { DIAL_LATER_MS, DIAL_MS_MAX, DIALS_MAX, DIALS_PER_SECOND_MAX } from "./limits.ts";

const MS_PER_SECOND = 1_000;

/** What dialling takes. */
export interface CandidateDiallerOptions {
  readonly env: Pick<Environment, "clock" | "random">;
  readonly links: Pick<Links, "dial">;
  readonly log: Log;
  /** Our own key id. */
  readonly self: string;
  /** Whether that node is found already. */
  readonly isUp: (keyId: string) => boolean;
}

/** Runs until {@link CandidateDialler.stop}. */
export class CandidateDialler {
  readonly #options: CandidateDiallerOptions;
  readonly #candidates: Candidates;
  readonly #rate: RateLimit;
  readonly #stopping = new AbortController();
  readonly #dials = new Set<Promise<void>>();
  #timer: Timer | undefined;

  constructor(options: CandidateDiallerOptions) {
    const { clock } = options.env;
    this.#options = options;
    this.#candidates = new Candidates(clock);
    this.#rate = new RateLimit(DIALS_PER_SECOND_MAX, clock);
  }

  /** Somebody says that a node is there. */
  hear(place: Place): void {
    // Both ends hear of each other: the smaller key id dials first.
    const later = this.#options.self < place.keyId ? 0 : DIAL_LATER_MS;
    this.#candidates.hear(place, lessByChance(later, this.#options.env.random));
    this.#pump();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#stopping.abort();
    await Promise.all(this.#dials);
  }

  /** Begins the attempts that are due, and sleeps until the next one is. */
  #pump(): void {
    this.#timer?.cancel();
    if (this.#stopping.signal.aborted) return;
    const { env: { clock }, isUp } = this.#options;
    for (const candidate of this.#candidates.due()) {
      if (isUp(candidate.keyId)) {
        this.#candidates.remove(candidate.keyId);
        continue;
      }
      if (this.#dials.size >= DIALS_MAX) return;
      if (!this.#rate.take()) {
        this.#timer = clock.after(MS_PER_SECOND / DIALS_PER_SECOND_MAX, () => this.#pump());
        return;
      }
      const dial = this.#dial(candidate).finally(() => {
        this.#dials.delete(dial);
        this.#pump();
      });
      this.#dials.add(dial);
    }
    const next = this.#candidates.nextInMs();
    if (next !== undefined) this.#timer = clock.after(Math.max(0, next), () => this.#pump());
  }

  /** Never rejects. */
  async #dial(candidate: Candidate): Promise<void> {
    const { env: { clock }, links, log } = this.#options;
    const { keyId, host, port } = candidate;
    const endpoint = formatEndpoint({ transport: "tcp", host, port });
    candidate.trying = true;
    let link: Link;
    try {
      const { signal } = this.#stopping;
      link = await dialLink({ clock, links }, {
        endpoint,
        expect: { keyId },
        ms: DIAL_MS_MAX,
        signal,
      });
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      // The other end was quicker: this conduit was one too many.
      if (this.#options.isUp(keyId)) return this.#candidates.remove(keyId);
      const isFalse = error instanceof AuthenticationError;
      const text = `Cannot link to ${endpoint}, heard of by multicast DNS: ${errorText(error)}`;
      log(isFalse ? "warning" : "debug", text);
      this.#candidates.failed(candidate, { chance: this.#chance(), isFalse });
      return;
    }
    this.#candidates.remove(keyId);
    log("info", `Found "${link.peer.identity.name}" at ${endpoint} by multicast DNS`);
  }

  #chance(): number {
    return chance(this.#options.env.random);
  }
}
