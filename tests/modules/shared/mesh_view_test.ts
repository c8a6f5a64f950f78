import assert from "node:assert/strict";
import { isGateway, MeshPicture, type NodeView } from "../../../modules/shared/mesh_view.ts";

function node(name: string, links: string, change: Partial<NodeView> = {}): NodeView {
  return {
    name,
    keyId: `key-${name}`,
    groups: [],
    segment: "main",
    endpoints: [],
    state: "up",
    since: 0,
    version: "1.0.0",
    instance: "0".repeat(32),
    incarnation: 1,
    links: links.split(" ").filter((link) => link !== "").map((link) => `key-${link}`),
    ...change,
  };
}

Deno.test("picture: ways, paths and neighbours follow every change", () => {
  const picture = new MeshPicture({
    self: "key-a",
    nodes: [node("a", "b"), node("b", "a c"), node("c", "b")],
  });
  assert.deepEqual(picture.wayTo("key-c"), { next: "key-b", distance: 2 });
  assert.deepEqual(picture.path("key-c"), ["key-b", "key-c"]);
  assert.deepEqual(picture.neighboursOf("key-b"), ["key-a", "key-c"]);
  picture.apply({ changed: [node("a", "b c"), node("c", "a b")], forgotten: [] });
  assert.deepEqual(picture.path("key-c"), ["key-c"]);
  assert.deepEqual(picture.path("key-c", { avoidEdges: [["key-c", "key-a"]] }), [
    "key-b",
    "key-c",
  ]);
  assert.deepEqual(picture.ways({ avoidNodes: ["key-c"] }).get("key-c"), undefined);
  assert(picture.areLinked("key-a", "key-c"));
  picture.apply({ changed: [], forgotten: ["key-c"] });
  assert.equal(picture.path("key-c"), undefined);
  assert.equal(picture.wayTo("key-c"), undefined);
});

Deno.test("picture: gateways of a segment are those that are up and certified as such", () => {
  const gateway = { groups: ["io", "gateway"] };
  const picture = new MeshPicture({
    self: "key-a",
    nodes: [
      node("a", ""),
      node("z", "", gateway),
      node("b", "", gateway),
      node("c", "", { ...gateway, state: "down" }),
      node("d", "", { ...gateway, segment: "other" }),
    ],
  });
  const names = (segment: string) => picture.gatewaysOf(segment).map(({ name }) => name);
  assert.deepEqual(names("main"), ["b", "z"]);
  assert.deepEqual(names("other"), ["d"]);
  assert.deepEqual(names("none"), []);
  picture.apply({ changed: [node("c", "", gateway)], forgotten: ["key-b"] });
  assert.deepEqual(names("main"), ["c", "z"]);
  assert(!isGateway(node("gateway", "")));
});

Deno.test("picture: of two keys with one name the living one is meant, after every change", () => {
  const old = node("n", "", { keyId: "key-1", state: "down" });
  const young = node("n", "", { keyId: "key-2" });
  const picture = new MeshPicture({ self: "key-a", nodes: [old, young] });
  assert.equal(picture.byName("n")?.keyId, "key-2");
  picture.apply({ changed: [{ ...young, links: ["key-9"] }], forgotten: [] });
  assert.deepEqual(picture.byName("n")?.links, ["key-9"]);
  picture.apply({ changed: [{ ...young, state: "left" }, { ...old, state: "up" }], forgotten: [] });
  assert.equal(picture.byName("n")?.keyId, "key-1");
  picture.apply({ changed: [], forgotten: ["key-1"] });
  assert.equal(picture.byName("n")?.keyId, "key-2");
  picture.apply({ changed: [], forgotten: ["key-2"] });
  assert.equal(picture.byName("n"), undefined);
});
