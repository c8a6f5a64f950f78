/**
 * Nodes that were lost while they were asked for the end of a job: a daemon that was killed may be back
 * soon, and the job ran on without it. They are asked anew for a while.
 */

import { type Clock, ConnectionError } from "../../core/mod.ts";
import type { GroupResult, NodeFailure } from "../shared/group_result.ts";
import type { Targets } from "../shared/missing_nodes.ts";
import { LOST_AGAIN_MS, LOST_TRIES_MAX } from "./limits.ts";

/** Takes what they answer into `result`, and resolves with those that have answered. */
export async function askLostAgain(
  { clock, signal, onLost }: {
    readonly clock: Pick<Clock, "sleep">;
    readonly signal: AbortSignal;
    /** Told once, before it takes time. */
    readonly onLost: (names: readonly string[]) => void;
  },
  result: GroupResult,
  ask: (nodes: Targets) => Promise<GroupResult>,
): Promise<ReadonlySet<string>> {
  const back = new Set<string>();
  for (let tries = 1; tries <= LOST_TRIES_MAX; tries++) {
    const lost = [...result.failures.values()].filter(isLost).map(({ name }) => name);
    if (lost.length === 0) break;
    if (tries === 2) onLost(lost);
    if (tries > 1) await clock.sleep(LOST_AGAIN_MS, { signal });
    const answer = await askOnce(ask, lost, signal);
    if (answer === undefined) break;
    const { values, failures } = answer;
    for (const [name, failure] of failures) {
      // Of one that is still away the first account says more.
      if (failure.set !== "unreachable") result.failures.set(name, failure);
    }
    for (const [name, value] of values) {
      result.failures.delete(name);
      result.answered.add(name);
      result.values.set(name, value);
      back.add(name);
    }
  }
  return back;
}

/** Undefined when our own way into the mesh is gone: what is known is told all the same. */
async function askOnce(
  ask: (nodes: Targets) => Promise<GroupResult>,
  names: readonly string[],
  signal: AbortSignal,
): Promise<GroupResult | undefined> {
  try {
    return await ask({ names, missing: [] });
  } catch (error) {
    if (signal.aborted || !(error instanceof ConnectionError)) throw error;
    return undefined;
  }
}

/** It was asked, and did not come to answer. */
function isLost({ set, ran }: NodeFailure): boolean {
  return set === "unreachable" && ran === "maybe";
}
