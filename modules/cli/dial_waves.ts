/**
 * Whom to dial when: one after the other, each with a head start. Each time that nobody has answered in
 * it, twice as many are dialled beside those that were, since a whole rack may be dark.
 */

import type { Clock } from "../../core/mod.ts";

/** A node that has not answered after this long is not waited for alone. */
export const NEXT_NODE_MS = 250;
/**
 * Dials under way: a quarter of the files that a process may usually open (1,024), and more than the
 * nodes of a few racks. Above it the next one is dialled when one has come to nothing.
 */
export const DIALS_AT_ONCE_MAX = 256;

/** Resolves when it is over, or all attempts have come to nothing; they never reject. */
export async function dialInWaves<T>(
  targets: readonly T[],
  attempt: (target: T) => Promise<void>,
  { clock, isOver, over }: {
    readonly clock: Pick<Clock, "after">;
    /** Nobody else is to be dialled. */
    readonly isOver: () => boolean;
    /** Resolves when that becomes so by an attempt that succeeds. */
    readonly over: Promise<unknown>;
  },
): Promise<void> {
  const open = new Set<Promise<void>>();
  const begin = (target: T): Promise<void> => {
    const dialling = attempt(target).finally(() => open.delete(dialling));
    open.add(dialling);
    return dialling;
  };
  let atOnce = 1;
  for (let next = 0; next < targets.length && !isOver();) {
    const count = Math.min(atOnce, DIALS_AT_ONCE_MAX - open.size);
    const some = targets.slice(next, next + count).map(begin);
    next += some.length;
    if (open.size >= DIALS_AT_ONCE_MAX) {
      await Promise.race([over, ...open]);
      continue;
    }
    const { promise: patience, resolve } = Promise.withResolvers<void>();
    const headStart = clock.after(NEXT_NODE_MS, () => {
      atOnce *= 2;
      resolve();
    });
    await Promise.race([over, Promise.all(some), patience]);
    headStart.cancel();
  }
  await Promise.race([over, Promise.all(open)]);
}
