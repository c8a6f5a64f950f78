/**
 * Hops that failed a moment ago. They are not tried again for some seconds, whoever asks: a dead
 * gateway must not be found out anew with each packet.
 */

import type { Clock } from "../../core/mod.ts";
import type { Edge } from "../shared/mesh_view.ts";
import { TROUBLE_MS, TROUBLES_MAX } from "./limits.ts";

export class Troubles {
  readonly #clock: Pick<Clock, "monotonic">;
  /** "from to" -> monotonic ms of its end; oldest first. */
  readonly #until = new Map<string, number>();

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** The hop from one node to the next failed. */
  add(from: string, to: string): void {
    const key = `${from} ${to}`;
    this.#until.delete(key);
    if (this.#until.size >= TROUBLES_MAX) {
      for (const oldest of this.#until.keys()) {
        this.#until.delete(oldest);
        break;
      }
    }
    this.#until.set(key, this.#clock.monotonic() + TROUBLE_MS);
  }

  /** It works again. */
  clear(from: string, to: string): void {
    this.#until.delete(`${from} ${to}`);
  }

  has(from: string, to: string): boolean {
    const until = this.#until.get(`${from} ${to}`);
    return until !== undefined && until > this.#clock.monotonic();
  }

  /** Those that last. */
  list(): Edge[] {
    const now = this.#clock.monotonic();
    const edges: Edge[] = [];
    for (const [key, until] of this.#until) {
      if (until <= now) this.#until.delete(key);
      else edges.push(key.split(" ") as [string, string]);
    }
    return edges;
  }
}
