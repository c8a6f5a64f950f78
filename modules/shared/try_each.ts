/** The same with each of many nodes, some at once: what one of them fails with stops no other. */

import { MinimeError } from "../../core/mod.ts";
import type { NodeFailure } from "./group_result.ts";
import { failureOf } from "./session_failure.ts";
import { inWindow } from "./window.ts";

/** Resolves when all are accounted for. Rejects with the signal's reason, and with what is a bug. */
export async function tryEach(
  nodes: readonly string[],
  options: {
    /** So many at most at once. */
    readonly window: number;
    readonly signal: AbortSignal;
    /** Gets an entry for each that failed. */
    readonly failures: Map<string, NodeFailure>;
  },
  run: (node: string) => Promise<void>,
): Promise<void> {
  await inWindow(nodes, options.window, async (node) => {
    try {
      await run(node);
    } catch (error) {
      options.signal.throwIfAborted();
      if (!(error instanceof MinimeError)) throw error;
      options.failures.set(node, failureOf(node, error));
    }
  });
}
