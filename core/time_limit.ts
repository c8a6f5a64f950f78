/** A limit on how long something may take that ends when its signal aborts. */

import type { Clock } from "./environment/environment.ts";

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
    return await run(signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]));
  } finally {
    timer.cancel();
  }
}
