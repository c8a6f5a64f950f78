/**
 * A view of thousands of nodes is more than one message holds: `mesh.nodes` gives most of them as
 * items, and the last ones with its reply. A small mesh is a reply and no items.
 */

import type { MeshView, NodesPart } from "../shared/mesh_view.ts";
import { NODES_PER_PART } from "./limits.ts";

/** Every node comes once, in the order of the view. */
export async function* inParts(
  { self, nodes }: MeshView,
): AsyncGenerator<NodesPart, MeshView, void> {
  let sent = 0;
  for (; nodes.length - sent > NODES_PER_PART; sent += NODES_PER_PART) {
    yield { nodes: nodes.slice(sent, sent + NODES_PER_PART) };
  }
  return { self, nodes: nodes.slice(sent) };
}
