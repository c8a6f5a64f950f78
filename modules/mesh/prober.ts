/**
 * Dials lost nodes by chance, one now and then: what finds again those to whom the graph over all
 * nodes, most of which may be gone for good, knows no way. All nodes that see each other share the
 * work, so a lone node dials twice a second, one of a thousand every eight minutes.
 */

import type { Clock, Random, Timer } from "../../core/mod.ts";
import { chance } from "../shared/chance.ts";
import { PROBE_MS } from "./limits.ts";
import type { Topology, WantedLink } from "./topology.ts";

export interface ProberOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly tryOnce: (wanted: WantedLink) => void;
}

export class Prober {
  readonly #options: ProberOptions;
  #lost: readonly WantedLink[] = [];
  #searchers = 1;
  #timer: Timer | undefined;
  /** Monotonic ms. */
  #dueAt = Infinity;
  #stopped = false;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  update({ lost, searchers }: Pick<Topology, "lost" | "searchers">): void {
    this.#lost = lost;
    this.#searchers = searchers;
    if (this.#stopped) return;
    if (lost.length === 0) return this.#rest();
    const dueAt = this.#options.clock.monotonic() + this.#interval();
    // A part that has become smaller searches faster at once.
    if (dueAt < this.#dueAt) this.#sleep(dueAt);
  }

  stop(): void {
    this.#stopped = true;
    this.#rest();
  }

  #rest(): void {
    this.#timer?.cancel();
    this.#dueAt = Infinity;
  }

  #interval(): number {
    return PROBE_MS * this.#searchers * (0.5 + chance(this.#options.random));
  }

  #sleep(dueAt: number): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#dueAt = dueAt;
    this.#timer = clock.after(dueAt - clock.monotonic(), () => this.#probe());
  }

  #probe(): void {
    const { clock, random, tryOnce } = this.#options;
    const one = this.#lost[Math.floor(chance(random) * this.#lost.length)];
    if (one !== undefined) tryOnce(one);
    this.#sleep(clock.monotonic() + this.#interval());
  }
}
