/**
 * Whether the mesh really sees the nodes that boot believes to be up: asked of a node, as any other
 * command would ask, until it sees all of them or time is up.
 */

import { CallError, ConnectionError, type Environment, errorText } from "../../core/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import { callGroup } from "../shared/group_client.ts";
import type { KnownNode } from "../shared/mesh_home.ts";
import { readMeshView } from "../shared/mesh_query.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import type { NodeView } from "../shared/mesh_view.ts";
import { ASK_MS_MAX, LINK_MS_MAX, LINK_POLL_MS } from "./limits.ts";

export interface Sighting {
  /** Nodes that the mesh sees up, of all that it knows, by name. */
  readonly seen: ReadonlyMap<string, NodeView>;
  /** Why nobody could be asked. */
  readonly unreachable: string | undefined;
}

type Context = {
  readonly env: Pick<Environment, "clock">;
  readonly signal: AbortSignal;
  connect: CommandContext["connect"];
};

/**
 * Who lives now; none when nobody answers, with the reason. What the mesh sees is a moment old, so
 * those whom it sees up are asked: who was killed just now is not there any more.
 */
export async function livingNodes(
  context: Context,
  options: { readonly mesh: string; readonly timeoutMs: number },
): Promise<{ readonly nodes: readonly KnownNode[]; readonly unreachable: string | undefined }> {
  const { mesh, timeoutMs } = options;
  const { env, signal } = context;
  try {
    await using client = await context.connect({ mesh, timeoutMs });
    const view = await readMeshView(client, { signal, deadlineMs: timeoutMs });
    const up = view.nodes.filter(({ state }) => state === "up");
    const { failures } = await callGroup(client, {
      targets: foldNodeset(up.map(({ name }) => name)),
      steps: [{ verb: "core.ping" }],
      reduce: { kind: "count" },
      deadlineMs: ASK_MS_MAX,
      signal,
    });
    // One that is frozen still has its place; one that cannot be reached does not.
    const living = up.filter(({ name }) => failures.get(name)?.set !== "unreachable");
    const now = Math.floor(env.clock.now());
    return { nodes: living.map((node) => knownNode(node, now)), unreachable: undefined };
  } catch (error) {
    return { nodes: [], unreachable: reasonOf(context, error) };
  }
}

/** The node as the mesh's home keeps it. */
export function knownNode(view: NodeView, seen: number): KnownNode {
  const { name, keyId, endpoints, groups, segment } = view;
  return { name, keyId, endpoints: [...endpoints], groups: [...groups], seen, segment };
}

/** Resolves as soon as all of `names` are seen. */
export async function sightNodes(
  context: Context,
  options: {
    readonly mesh: string;
    readonly names: readonly string[];
    /** @default LINK_MS_MAX */
    readonly timeoutMs?: number;
  },
): Promise<Sighting> {
  const { mesh, names, timeoutMs = LINK_MS_MAX } = options;
  const { clock } = context.env;
  const deadline = clock.monotonic() + timeoutMs;
  let seen: ReadonlyMap<string, NodeView> = new Map();
  try {
    await using client = await context.connect({ mesh, timeoutMs });
    for (;;) {
      const deadlineMs = Math.max(LINK_POLL_MS, deadline - clock.monotonic());
      const view = await readMeshView(client, { deadlineMs });
      seen = new Map(
        view.nodes.filter(({ state }) => state === "up").map((node) => [node.name, node]),
      );
      const isComplete = names.every((name) => seen.has(name));
      if (isComplete || clock.monotonic() >= deadline) return { seen, unreachable: undefined };
      await clock.sleep(LINK_POLL_MS, { signal: context.signal });
    }
  } catch (error) {
    return { seen, unreachable: reasonOf(context, error) };
  }
}

/** Why the mesh could not be asked. Throws what says nothing about the mesh. */
function reasonOf({ signal }: Pick<Context, "signal">, error: unknown): string {
  signal.throwIfAborted();
  if (error instanceof ConnectionError || error instanceof CallError) return errorText(error);
  throw error;
}
