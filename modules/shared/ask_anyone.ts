/** Questions to a mesh of which any node can answer, and which may be asked twice. */

import { CallError, ConnectionError, errorText } from "../../core/mod.ts";
import type { CommandContext, MeshClient } from "./command.ts";
import { ASKED_AGAIN_MS, ASKED_MS_MAX } from "./limits.ts";

/**
 * Asks the nearest node, and where that one goes away meanwhile the one that is nearest then, for some
 * time: who is being stopped still lets others in. Rejects with ConnectionError when nobody can be
 * reached, and with what the last one came to.
 */
export async function askAnyone<T>(
  { connect, env: { clock }, out, signal }: Pick<
    CommandContext,
    "connect" | "env" | "out" | "signal"
  >,
  mesh: string,
  ask: (client: MeshClient) => Promise<T>,
): Promise<T> {
  const until = clock.monotonic() + ASKED_MS_MAX;
  for (;;) {
    {
      await using client = await connect({ mesh });
      try {
        return await ask(client);
      } catch (error) {
        if (!isAway(error) || clock.monotonic() >= until) throw error;
        out.detail(`Another node is asked: ${errorText(error)}`);
      }
    }
    await clock.sleep(ASKED_AGAIN_MS, { signal });
  }
}

/** Whether who was asked cannot answer any more, or nobody can be; what was asked is no reason. */
export function isAway(error: unknown): boolean {
  if (error instanceof ConnectionError) return true;
  return error instanceof CallError && ["timeout", "unreachable"].includes(error.class);
}
