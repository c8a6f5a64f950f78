/** Questions to a mesh of which any node can answer, and which may be asked twice. */

import { CallError, ConnectionError, errorText } from "../../core/mod.ts";
import type { CommandContext, MeshClient } from "./command.ts";
import { NODES_ASKED_MAX } from "./limits.ts";

/**
 * Asks the nearest node, and where that one goes away meanwhile the one that is nearest then. Rejects
 * with ConnectionError when nobody can be reached, and with what the last one came to.
 */
export async function askAnyone<T>(
  { connect, out }: Pick<CommandContext, "connect" | "out">,
  mesh: string,
  ask: (client: MeshClient) => Promise<T>,
): Promise<T> {
  for (let asked = 1;; asked++) {
    await using client = await connect({ mesh });
    try {
      return await ask(client);
    } catch (error) {
      if (!isAway(error) || asked >= NODES_ASKED_MAX) throw error;
      out.detail(`Another node is asked: ${errorText(error)}`);
    }
  }
}

/** Whether who was asked cannot answer any more, or nobody can be; what was asked is no reason. */
export function isAway(error: unknown): boolean {
  if (error instanceof ConnectionError) return true;
  return error instanceof CallError && ["timeout", "unreachable"].includes(error.class);
}
