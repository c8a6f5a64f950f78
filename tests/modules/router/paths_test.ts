import assert from "node:assert/strict";
import fc from "fast-check";
import { hopKind, mayDial, pathHolds, planPath, whyNoPath } from "../../../modules/router/paths.ts";
import { HOPS_MAX } from "../../../modules/router/limits.ts";
import { MeshPicture, type NodeView } from "../../../modules/shared/mesh_view.ts";
import { runs } from "../../support/fuzz.ts";

type Links = readonly (readonly [string, string])[];

/** "segment/name": gateways begin with "g". The key id of a node is its name here. */
function picture(self: string, nodes: readonly string[], links: Links, down = ""): MeshPicture {
  const named = nodes.map((text) => text.split("/") as [string, string]);
  return new MeshPicture({
    self,
    nodes: named.map(([segment, name]): NodeView => ({
      name,
      keyId: name,
      groups: name.startsWith("g") ? ["gateway"] : [],
      segment,
      endpoints: ["tcp:h:1"],
      state: name === down ? "down" : "up",
      since: 0,
      version: "1",
      instance: "",
      incarnation: 1,
      links: links.flatMap(([a, b]) => a === name ? [b] : b === name ? [a] : []),
    })),
  });
}

const low = (mesh: MeshPicture, to: string) => planPath(mesh, { to, class: "low" })?.join(" ");
const high = (mesh: MeshPicture, to: string, avoid: readonly string[] = []) =>
  planPath(mesh, { to, class: "high", detour: { avoidNodes: avoid } })?.join(" ");

const THREE = ["l/a", "l/g1", "l/g2", "m/g3", "r/g4", "r/b", "r/c"];
const CHAIN: Links = [["a", "g1"], ["a", "g2"], ["g1", "g3"], ["g3", "g4"], ["g4", "b"], [
  "b",
  "c",
]];

Deno.test("paths: low is a shortest path over links, high is direct in a segment", () => {
  const mesh = picture("b", THREE, CHAIN);
  assert.equal(low(mesh, "a"), "b g4 g3 g1 a");
  assert.equal(high(mesh, "g4"), "b g4");
  const apart = picture("x", ["s/x", "s/y", "s/z"], [["x", "y"], ["y", "z"]]);
  assert.equal(low(apart, "z"), "x y z");
  assert.equal(high(apart, "z"), "x z");
  assert.equal(hopKind(apart, "x", "z"), "dial");
});

Deno.test("paths: high goes through gateways, of segments between too, and prefers what stands", () => {
  const mesh = picture("a", THREE, CHAIN);
  assert.equal(high(mesh, "b"), "a g1 g3 g4 b");
  assert.equal(high(mesh, "c"), "a g1 g3 g4 c");
  const linked = picture("a", THREE, [...CHAIN, ["g2", "g4"]]);
  assert.equal(high(linked, "b"), "a g2 g4 b");
  // Without that one, around by the middle; then by gateways that have no link but may dial.
  assert.equal(high(linked, "b", ["g2"]), "a g1 g3 g4 b");
  assert.equal(high(linked, "b", ["g2", "g3"]), "a g1 g4 b");
});

Deno.test("paths: when the direct way failed a gateway of the segment goes between, else any link", () => {
  const mesh = picture("x", ["s/x", "s/y", "s/z", "s/g"], [["x", "y"], ["y", "z"]]);
  const detour = { avoidEdges: [["x", "z"]] as const };
  assert.equal(planPath(mesh, { to: "z", class: "high", detour })?.join(" "), "x g z");
  const both = { ...detour, avoidNodes: ["g"] };
  assert.equal(planPath(mesh, { to: "z", class: "high", detour: both })?.join(" "), "x y z");
  const none = { ...detour, avoidNodes: ["g", "y"] };
  assert.equal(planPath(mesh, { to: "z", class: "high", detour: none }), undefined);
});

Deno.test("paths: who may dial whom", () => {
  const mesh = picture("a", THREE, []);
  assert.ok(mayDial(mesh, "a", "g1") && mayDial(mesh, "g1", "a") && mayDial(mesh, "g1", "g4"));
  assert.ok(!mayDial(mesh, "a", "g3") && !mayDial(mesh, "a", "b") && !mayDial(mesh, "a", "a"));
  assert.ok(!mayDial(mesh, "a", "nobody"));
});

Deno.test("paths: what is missing is said", () => {
  const why = (mesh: MeshPicture, to: string) => whyNoPath(mesh, { to, class: "high" });
  const left = 'No gateway of segment "l", that of "a", is up';
  const noGateway = picture("a", ["l/a", "l/a2", "r/b"], [["a", "a2"]]);
  assert.equal(why(noGateway, "b"), 'No gateway of segment "l", that of "a", is up');
  const theirs = picture("a", ["l/a", "l/g", "r/b"], [["a", "g"]]);
  assert.equal(why(theirs, "b"), 'No gateway of segment "r", that of "b", is up');
  assert.equal(why(picture("a", THREE, CHAIN, "b"), "b"), '"b" is down');
  assert.equal(why(picture("a", ["l/a", "r/b"], [], "b"), "b"), '"b" is down, or cut off: ' + left);
  assert.equal(why(noGateway, "a"), '"a" is this node itself');
  assert.equal(why(noGateway, "nobody"), "No node with this key is known");
  assert.equal(why(noGateway, "a2"), 'Every way to "a2" failed a moment ago');
  const long = Array.from({ length: HOPS_MAX + 2 }, (_, i) => `s${i}/n${i}`);
  const line = long.slice(1).map((_, i) => [`n${i}`, `n${i + 1}`] as const);
  const mesh = picture("n0", long, line);
  const text = `The way to "n17" has 17 hops, 16 are the most`;
  assert.equal(whyNoPath(mesh, { to: "n17", class: "low" }), text);
  assert.equal(low(mesh, "n17"), undefined);
  assert.equal(low(mesh, "n16")?.split(" ").length, HOPS_MAX + 1);
});

Deno.test("paths: a path holds while its hops stand or may be dialled and nobody on it is down", () => {
  const mesh = picture("a", THREE, CHAIN);
  assert.ok(pathHolds(mesh, ["a", "g1", "g3", "g4", "b"], "low"));
  assert.ok(!pathHolds(mesh, ["a", "g1", "g4", "b"], "low"));
  assert.ok(pathHolds(mesh, ["a", "g1", "g4", "b"], "high"));
  assert.ok(!pathHolds(mesh, ["a", "g3", "g4", "b"], "high"));
  assert.ok(!pathHolds(picture("a", THREE, CHAIN, "g3"), ["a", "g1", "g3", "g4", "b"], "high"));
});

Deno.test("paths: any path of any mesh has no loop, keeps its class's rules and avoids what it must", () => {
  const node = fc.constantFrom("l/a", "l/b", "l/g1", "m/c", "m/g2", "m/g3", "r/d", "r/e", "r/g4");
  fc.assert(
    fc.property(
      fc.uniqueArray(node, { minLength: 2 }),
      fc.array(fc.tuple(fc.nat(8), fc.nat(8)), { maxLength: 20 }),
      fc.array(fc.nat(8), { maxLength: 2 }),
      fc.constantFrom("low", "high"),
      (nodes, pairs, avoided, routeClass) => {
        const names = nodes.map((text) => text.split("/")[1] as string);
        const [self, to] = names as [string, string];
        const at = (i: number) => names[i % names.length] as string;
        const links = pairs.map(([a, b]) => [at(a), at(b)] as const).filter(([a, b]) => a !== b);
        const mesh = picture(self, nodes, links);
        const avoidNodes = avoided.map(at).filter((name) => name !== self);
        const path = planPath(mesh, { to, class: routeClass, detour: { avoidNodes } });
        if (path === undefined) return;
        assert.deepEqual([path[0], path.at(-1)], [self, to]);
        assert.equal(new Set(path).size, path.length);
        assert.ok(pathHolds(mesh, path, routeClass));
        assert.ok(!path.some((name) => avoidNodes.includes(name)));
      },
    ),
    runs(1_000),
  );
});
