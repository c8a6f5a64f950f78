/** Nodes as the mesh module shows them. */

import type { NodeView } from "../../../modules/shared/mesh_view.ts";

/** One that is up, with what the test cares for. */
export function nodeView(given: Partial<NodeView> = {}): NodeView {
  const { name = "n1" } = given;
  return {
    name,
    keyId: name.padEnd(64, "0"),
    groups: [],
    segment: "default",
    endpoints: [],
    state: "up",
    since: 0,
    version: "1.0.0",
    instance: "0".repeat(32),
    incarnation: 1,
    links: [],
    ...given,
  };
}
