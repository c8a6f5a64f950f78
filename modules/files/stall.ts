/**
 * Notices that a copy at a node does not go on: because the process that copies hangs (its disk gives no
 * answer), or because nobody sends or takes anything any more. Then it is given up, so that others get
 * their files and its place.
 *
 * A process that reads much before it says anything, such as the half of a large file that is there
 * already, is busy: the time that it has computed says so.
 */

import { CallError, type Clock, type Timer } from "../../core/mod.ts";
import { formatDuration } from "../shared/duration.ts";
import { IDLE_MS_MAX, STALLED_LOOKS } from "./limits.ts";

export interface StallOptions {
  readonly clock: Pick<Clock, "after">;
  /** How long the process may do nothing. */
  readonly stalledMs: number;
  /** What the process has computed so far, in any unit; undefined: unknown. */
  readonly computed: () => Promise<string | undefined>;
  /** Called once, with what to say. */
  readonly onStalled: (error: CallError) => void;
}

export class Stall implements Disposable {
  readonly #options: StallOptions;
  #timer: Timer | undefined;
  #over = false;
  #moved = false;
  #quietMs = 0;
  #computed: string | undefined;
  /** Of what it was given, what it has not taken: then it is its turn. */
  #owed = 0;
  /** What it gave waits for somebody to take it. */
  #held = false;

  constructor(options: StallOptions) {
    this.#options = options;
    this.#lookLater();
  }

  /** The process was given something. */
  gave(): void {
    this.#owed++;
    this.#moved = true;
  }

  /** It has done with so many of those. */
  taken(count: number): void {
    this.#owed -= count;
    this.#moved = true;
  }

  /** It said something, which waits from now on, or no longer. */
  hold(held: boolean): void {
    this.#held = held;
    this.#moved = true;
  }

  [Symbol.dispose](): void {
    this.#over = true;
    this.#timer?.cancel();
  }

  #lookLater(): void {
    const ms = this.#options.stalledMs / STALLED_LOOKS;
    this.#timer = this.#options.clock.after(ms, () => void this.#look(ms));
  }

  async #look(ms: number): Promise<void> {
    const computed = await this.#options.computed();
    if (this.#over) return;
    const isItsTurn = this.#owed > 0 && !this.#held;
    const isBusy = isItsTurn && computed !== this.#computed;
    this.#computed = computed;
    if (this.#moved || isBusy) this.#quietMs = 0;
    else this.#quietMs += ms;
    this.#moved = false;
    const { stalledMs, onStalled } = this.#options;
    const limitMs = isItsTurn ? stalledMs : IDLE_MS_MAX;
    if (this.#quietMs < limitMs) return this.#lookLater();
    this.#over = true;
    const time = formatDuration(limitMs);
    const text = isItsTurn
      ? `Given up: the disk here has taken and given nothing for ${time}`
      : `Given up: nobody has sent or taken anything for ${time}`;
    onStalled(new CallError("timeout", text));
  }
}
