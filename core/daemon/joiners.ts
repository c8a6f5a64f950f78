/**
 * Those who are here by a token, or to be revived. All who want to be revived show the same PSK, and
 * nobody knows how many of them are who they say: so a place is never kept by being silent. Who has
 * nothing under way leaves after a while, and before that when somebody else needs the place; and
 * everybody at some time, since who does not read its answers has something under way for ever.
 */

import type { Clock, Timer } from "../environment/environment.ts";
import { AuthenticationError } from "../errors.ts";
import { JOINER_CONDUITS_MAX, JOINER_MS_MAX, JOINER_SILENT_MS_MAX } from "../limits.ts";
import type { Calls } from "./calls.ts";

type Watched = Pick<Calls, "close" | "done" | "heardAt" | "incomingCount">;

/** Of one daemon. */
export class Joiners {
  readonly #clock: Clock;
  /** By token, in the order in which they came. */
  readonly #places = new Map<string, Set<Watched>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Makes room for one more with this token: who has been silent for longest goes. Throws
   * AuthenticationError when all of them are being served.
   */
  admit(token: string): void {
    const places = this.#places.get(token);
    if (places === undefined || places.size < JOINER_CONDUITS_MAX) return;
    let silent: Watched | undefined;
    for (const calls of places) {
      if (calls.incomingCount > 0) continue;
      if (silent === undefined || calls.heardAt < silent.heardAt) silent = calls;
    }
    if (silent === undefined) {
      throw new AuthenticationError(
        "quota",
        `There are ${JOINER_CONDUITS_MAX} connections with this token already`,
      );
    }
    places.delete(silent);
    void silent.close("somebody else needs the place");
  }

  /** Until it is over. */
  add(token: string, calls: Watched): void {
    const places = this.#places.get(token) ?? new Set();
    this.#places.set(token, places.add(calls));
    let timer: Timer | undefined;
    const look = (afterMs: number): void => {
      timer = this.#clock.after(afterMs, () => {
        const leftMs = JOINER_SILENT_MS_MAX - (this.#clock.monotonic() - calls.heardAt);
        if (calls.incomingCount > 0) look(JOINER_SILENT_MS_MAX);
        else if (leftMs > 0) look(leftMs);
        else void calls.close("nothing was asked for");
      });
    };
    look(JOINER_SILENT_MS_MAX);
    const end = this.#clock.after(JOINER_MS_MAX, () => void calls.close("this took too long"));
    calls.done.then(() => {
      timer?.cancel();
      end.cancel();
      places.delete(calls);
      if (places.size === 0 && this.#places.get(token) === places) this.#places.delete(token);
    });
  }
}
