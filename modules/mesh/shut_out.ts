/**
 * Nodes that the home knows and the mesh does not, because they speak none of its protocols: too old, or
 * too new. Nobody in the mesh can link with them, so who looks at the mesh asks them.
 */

import { AuthenticationError, ConnectionError, errorText } from "../../core/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import type { MeshView } from "../shared/mesh_view.ts";
import { inWindow } from "../shared/window.ts";
import { SHUT_OUT_ASKED_MAX, SHUT_OUT_MS_MAX } from "./limits.ts";

/** By name: which protocols they speak, and which we do. Others that are away are not in it. */
export async function shutOut(
  context: Pick<CommandContext, "connect" | "signal">,
  home: Pick<MeshHome, "name" | "nodes">,
  { nodes }: Pick<MeshView, "nodes">,
): Promise<ReadonlyMap<string, string>> {
  const known = new Set(nodes.filter(({ state }) => state === "up").map(({ keyId }) => keyId));
  const away = (await home.nodes()).filter(({ keyId, direct }) =>
    direct !== false && !known.has(keyId)
  );
  const found = new Map<string, string>();
  const asked = away.slice(0, SHUT_OUT_ASKED_MAX);
  await inWindow(asked, SHUT_OUT_ASKED_MAX, async ({ name }) => {
    try {
      const options = { mesh: home.name, node: name, timeoutMs: SHUT_OUT_MS_MAX };
      await (await context.connect(options)).close();
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof ConnectionError)) throw error;
      const { cause } = error;
      if (cause instanceof AuthenticationError && cause.reason === "version") {
        found.set(name, errorText(cause));
      }
    }
  });
  return found;
}
