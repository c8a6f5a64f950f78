/** What the administrator's program is told: what became of a node. */

import type { MeshHooks } from "../shared/mesh_file.ts";
import type { NodeState, NodeView } from "../shared/mesh_view.ts";

/** As in the mesh file. */
export type HookEvent = MeshHooks["events"][number];

export interface NodeEvent {
  readonly event: HookEvent;
  readonly node: NodeView;
}

/** A node that is up again, or in another life, has joined; one that is lost has failed. */
const EVENTS: Readonly<Record<NodeState, HookEvent>> = {
  up: "join",
  left: "leave",
  down: "failure",
};

/** What a view of a node says that was not said before; undefined: nothing. */
export function eventOf(node: NodeView, before: NodeView | undefined): NodeEvent | undefined {
  const isSame = before?.state === node.state &&
    (node.state !== "up" || before.instance === node.instance);
  // Who was never here cannot go.
  if (isSame || (before === undefined && node.state !== "up")) return undefined;
  return { event: EVENTS[node.state], node };
}
