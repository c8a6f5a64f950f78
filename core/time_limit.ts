/** A limit on how long something may take that ends when its signal aborts. */

import type { Clock } from "./environment/environment.ts";
import { FirstSignal } from "./first_signal.ts";

export interface TimeLimit {
  readonly clock: Pick<Clock, "after">;
  readonly ms: number;
  /** What to say when the time is over. */
  readonly late: () => Error;
  /** Ends it too, with its own reason. @default none */
  readonly signal?: AbortSignal;
}

/** What `run` gives or throws; its signal aborts with `late` after that time. */
export async function withTimeLimit<T>(
  run: (signal: AbortSignal) => Promise<T>,
  { clock, ms, late, signal }: TimeLimit,
): Promise<T> {
  const over = new AbortController();
  const timer = clock.after(ms, () => over.abort(late()));
  try {
    if (signal === undefined) return await run(over.signal);
    using first = new FirstSignal(over.signal, signal);
    return await run(first.signal);
  } finally {
    timer.cancel();
  }
}
