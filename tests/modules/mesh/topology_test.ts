import assert from "node:assert/strict";
import type { NodeState } from "../../../modules/shared/mesh_view.ts";
import { wantedLinks } from "../../../modules/mesh/topology.ts";

function node(name: string, state: NodeState) {
  return { name, keyId: name, endpoints: [`tcp:${name}:1`], state };
}

Deno.test("topology: a full graph, those that are up first", () => {
  const nodes = [node("me", "up"), node("a", "up"), node("b", "down"), node("c", "left")];
  const wanted = wantedLinks(nodes, { self: "me", seeds: [] });
  assert.deepEqual([...wanted.values()].map(({ name, rank }) => [name, rank]), [["a", 0], [
    "b",
    2,
  ]]);
});

Deno.test("topology: seeds are wanted for ever, by all endpoints that are known", () => {
  const seeds = ["a", "b", "c", "d"].map((name) => ({ name, keyId: name, endpoints: ["tcp:s:1"] }));
  const nodes = [node("a", "up"), node("b", "down"), node("c", "left")];
  const wanted = wantedLinks(nodes, { self: "me", seeds });
  assert.deepEqual([...wanted.values()].map(({ name, rank }) => [name, rank]), [
    ["a", 0],
    ["b", 1],
    ["c", 1],
    ["d", 1],
  ]);
  assert.deepEqual(wanted.get("b")?.endpoints, ["tcp:b:1", "tcp:s:1"]);
  assert.deepEqual(wanted.get("d")?.endpoints, ["tcp:s:1"]);
});
