/**
 * The life of a daemon as data: a table of states and what may follow, and one function that moves.
 *
 *   new --> starting --> running --> stopping --> stopped
 *    |          |                       ^
 *    |          +-----------------------+   a start that failed is stopped like any other
 *    +----------------------------------> stopped
 */

export type LifeState = "new" | "starting" | "running" | "stopping" | "stopped";

const NEXT: Readonly<Record<LifeState, readonly LifeState[]>> = {
  new: ["starting", "stopped"],
  starting: ["running", "stopping"],
  running: ["stopping"],
  stopping: ["stopped"],
  stopped: [],
};

export class Lifecycle {
  #state: LifeState = "new";

  get state(): LifeState {
    return this.#state;
  }

  /** Throws when the table does not allow it: that is a bug of the caller. */
  move(to: LifeState): void {
    if (!NEXT[this.#state].includes(to)) {
      throw new Error(`Daemon cannot go from ${this.#state} to ${to}`);
    }
    this.#state = to;
  }
}
