/** Events found in the view of a mesh. */

import assert from "node:assert/strict";
import { NodeEvents } from "../../../modules/hooks/node_events.ts";
import type { NodeView } from "../../../modules/shared/mesh_view.ts";
import { nodeView } from "./nodes.ts";

Deno.test("node events: nodes join, fail, come back, leave; of ourselves nothing is told", () => {
  const told: string[] = [];
  const events = new NodeEvents(nodeView({ name: "self" }).keyId, ({ event, node }) => {
    told.push(`${event} ${node.name}`);
  });
  const apply = (...changed: Partial<NodeView>[]) => {
    events.apply({ changed: changed.map((each) => nodeView(each)), forgotten: [] });
    return told.splice(0);
  };
  assert.deepEqual(apply({ name: "self" }, { name: "n1" }), ["join n1"]);
  // Other links or groups are no event.
  assert.deepEqual(apply({ name: "n1", groups: ["io"] }), []);
  assert.deepEqual(apply({ name: "n1", state: "down" }), ["failure n1"]);
  assert.deepEqual(apply({ name: "n1", state: "down", lostAt: "self" }), []);
  assert.deepEqual(apply({ name: "n1" }), ["join n1"]);
  assert.deepEqual(apply({ name: "n1", state: "left" }), ["leave n1"]);
  // Heard of again before there is a way to it.
  assert.deepEqual(apply({ name: "n1", state: "down" }), []);
  // It was told a second time of who was not back in between.
  assert.deepEqual(apply({ name: "n1", state: "left" }), []);
  // Started again before anybody saw it go.
  assert.deepEqual(apply({ name: "n1" }), ["join n1"]);
  assert.deepEqual(apply({ name: "n1", instance: "1".repeat(32) }), ["join n1"]);
  // Who was gone before we came has not gone now.
  assert.deepEqual(apply({ name: "n2", state: "down" }), []);
  assert.deepEqual(apply({ name: "n2" }), ["join n2"]);
  events.apply({ changed: [], forgotten: [nodeView({ name: "n2" }).keyId] });
  assert.deepEqual(apply({ name: "n2" }), ["join n2"]);
});
