/**
 * Nodes that are lost while programs run on others for long: whoever looks on hears of them soon, and not
 * only when the last program has ended. Of what ends soon the table at the end tells enough.
 */

import type { Clock } from "../../core/mod.ts";
import type { NodeFailure } from "../shared/group_result.ts";

/** Between looks; a failure is told at the second look that finds it, with those of its time. */
const LOOK_MS = 2_000;

export class FailureNews implements Disposable {
  readonly #clock: Pick<Clock, "after">;
  readonly #failures: ReadonlyMap<string, NodeFailure>;
  readonly #tell: (failures: readonly NodeFailure[]) => void;
  readonly #seen = new Set<string>();
  readonly #told = new Set<string>();
  #timer: { cancel(): void };

  constructor(
    clock: Pick<Clock, "after">,
    failures: ReadonlyMap<string, NodeFailure>,
    tell: (failures: readonly NodeFailure[]) => void,
  ) {
    this.#clock = clock;
    this.#failures = failures;
    this.#tell = tell;
    this.#timer = this.#next();
  }

  /** Nothing is told any more. */
  [Symbol.dispose](): void {
    this.#timer.cancel();
  }

  #next(): { cancel(): void } {
    return this.#clock.after(LOOK_MS, () => {
      const due = [...this.#failures.values()].filter(({ name }) =>
        this.#seen.has(name) && !this.#told.has(name)
      );
      for (const name of this.#failures.keys()) this.#seen.add(name);
      for (const { name } of due) this.#told.add(name);
      if (due.length > 0) this.#tell(due);
      this.#timer = this.#next();
    });
  }
}
