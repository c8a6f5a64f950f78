/**
 * Whom to dial when: one after the other, each with a head start. Each time that nobody has answered in
 * it, twice as many are dialled beside those that were, since a whole rack may be dark. What is sent to
 * a dark node mostly comes to nothing only after long: the oldest dials make room for those to come.
 */

import { type Clock, ConnectionError } from "../../core/mod.ts";

/** A node that has not answered after this long is not waited for alone. */
export const NEXT_NODE_MS = 250;
/**
 * Nodes whose dials are under way: with two addresses each half of the files that a process may usually
 * open (1,024), and more than the nodes of a few racks.
 */
export const DIALS_AT_ONCE_MAX = 256;
/**
 * Times that dials are ended until all others are under way: with the eight before them six seconds, so
 * that the last ones have as long as they may need. Thousands of nodes take longer.
 */
const TURNS = 16;
/**
 * Ended each time at least, so that a few nodes above the limit wait for nothing: each dial has two
 * seconds, in which a first packet that was lost has been sent again.
 */
const ENDED_MIN = 32;

/** Resolves when it is over, or all attempts have come to nothing; they never reject. */
export async function dialInWaves<T>(
  targets: readonly T[],
  attempt: (target: T, signal: AbortSignal) => Promise<void>,
  { clock, isOver, over }: {
    readonly clock: Pick<Clock, "after">;
    /** Nobody else is to be dialled. */
    readonly isOver: () => boolean;
    /** Resolves when that becomes so by an attempt that succeeds. */
    readonly over: Promise<unknown>;
  },
): Promise<void> {
  /** The oldest first. */
  const open = new Map<Promise<void>, AbortController>();
  let next = 0;
  const dial = (count: number): Promise<void>[] => {
    const some = targets.slice(next, next + count).map((target) => {
      const ending = new AbortController();
      const dialling = attempt(target, ending.signal).finally(() => open.delete(dialling));
      open.set(dialling, ending);
      return dialling;
    });
    next += some.length;
    return some;
  };
  const isMore = () => next < targets.length && !isOver();

  for (let atOnce = 1; open.size + atOnce <= DIALS_AT_ONCE_MAX && isMore();) {
    const some = dial(atOnce);
    const { promise: patience, resolve } = Promise.withResolvers<void>();
    const headStart = clock.after(NEXT_NODE_MS, () => {
      atOnce *= 2;
      resolve();
    });
    await Promise.race([over, Promise.all(some), patience]);
    headStart.cancel();
  }

  let turns = TURNS;
  const endOldest = () => {
    const rest = targets.length - next;
    const count = Math.min(rest, Math.max(ENDED_MIN, Math.ceil(rest / turns)));
    turns = Math.max(1, turns - 1);
    const lasting = [...open.values()].filter(({ signal }) => !signal.aborted);
    for (const ending of lasting.slice(0, count)) ending.abort(unanswered());
    turn = clock.after(NEXT_NODE_MS, endOldest);
  };
  let turn = clock.after(NEXT_NODE_MS, endOldest);
  while (isMore()) {
    dial(DIALS_AT_ONCE_MAX - open.size);
    await Promise.race([over, ...open.keys()]);
  }
  turn.cancel();
  await Promise.race([over, Promise.all(open.keys())]);
}

function unanswered(): ConnectionError {
  return new ConnectionError("timeout", "No answer until others had their turn");
}
