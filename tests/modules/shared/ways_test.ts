import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "../../support/fuzz.ts";
import {
  areLinked,
  type Claimant,
  type Edge,
  neighboursOf,
  pathTo,
  waysFrom,
} from "../../../modules/shared/ways.ts";

type Nodes = Map<string, Claimant>;

/** Both ends claim each of these edges, given as "a-b". */
function graphOf(edges: string, change: Record<string, Partial<Claimant>> = {}): Nodes {
  const links = new Map<string, Set<string>>();
  for (const edge of edges.split(" ")) {
    const [a, b] = edge.split("-") as [string, string];
    for (const [from, to] of [[a, b], [b, a]] as const) {
      links.set(from, (links.get(from) ?? new Set()).add(to));
    }
  }
  return new Map(
    [...links].map(([keyId, to]) => [
      keyId,
      { keyId, links: [...to].sort(), state: "up", ...change[keyId] },
    ]),
  );
}

Deno.test("ways: first hop and distance of every node that has a way, ties to the smaller hop", () => {
  const graph = graphOf("s-c s-b b-d c-d d-e x-y");
  assert.deepEqual([...waysFrom(graph, "s")], [
    ["b", { next: "b", distance: 1 }],
    ["c", { next: "c", distance: 1 }],
    ["d", { next: "b", distance: 2 }],
    ["e", { next: "b", distance: 3 }],
  ]);
});

Deno.test("ways: an edge counts only if both ends claim it, whoever lies about the rest", () => {
  const graph = graphOf("s-a a-b", {
    b: { links: ["a", "s", "z"] },
    a: { links: ["b", "s", "q"] },
  });
  assert.equal(areLinked(graph, "s", "b"), false);
  assert.deepEqual(neighboursOf(graph, "b"), ["a"]);
  assert.deepEqual(pathTo(graph, { self: "s", to: "b" }), ["a", "b"]);
  assert.equal(pathTo(graph, { self: "s", to: "z" }), undefined);
});

Deno.test("ways: nobody goes through a node that left", () => {
  const graph = graphOf("s-a a-b s-c c-d d-b", { a: { state: "left" } });
  assert.deepEqual(pathTo(graph, { self: "s", to: "b" }), ["c", "d", "b"]);
  assert.equal(pathTo(graph, { self: "s", to: "a" }), undefined);
  assert.deepEqual(neighboursOf(graph, "a"), []);
});

Deno.test("ways: a detour avoids nodes and edges, or there is none", () => {
  const graph = graphOf("s-a a-t s-b b-t b-c c-t");
  const ends = { self: "s", to: "t" };
  assert.deepEqual(pathTo(graph, ends), ["a", "t"]);
  assert.deepEqual(pathTo(graph, ends, { avoidNodes: ["a"] }), ["b", "t"]);
  assert.deepEqual(pathTo(graph, ends, { avoidNodes: ["a"], avoidEdges: [["t", "b"]] }), [
    "b",
    "c",
    "t",
  ]);
  assert.equal(pathTo(graph, ends, { avoidNodes: ["a", "b"] }), undefined);
  assert.deepEqual(waysFrom(graph, "s", { avoidEdges: [["s", "a"]] }).get("a"), {
    next: "b",
    distance: 3,
  });
  assert.deepEqual(pathTo(graph, { self: "s", to: "s" }), []);
});

Deno.test("ways: a path is as long as the way says, over edges that are there and allowed", () => {
  const size = 9;
  const edge = fc.tuple(fc.nat(size - 1), fc.nat(size - 1)).filter(([a, b]) => a !== b);
  fc.assert(
    fc.property(
      fc.array(edge, { minLength: 1, maxLength: 24 }),
      fc.array(edge, { maxLength: 4 }),
      fc.array(fc.nat(size - 1), { maxLength: 2 }),
      (edges, closed, nodes) => {
        const graph = graphOf(edges.map(([a, b]) => `n${a}-n${b}`).join(" "));
        const avoidNodes = nodes.map((n) => `n${n}`);
        const avoidEdges = closed.map(([a, b]): Edge => [`n${a}`, `n${b}`]);
        const ways = waysFrom(graph, "n0", { avoidNodes, avoidEdges });
        for (const to of graph.keys()) {
          if (to === "n0") continue;
          const path = pathTo(graph, { self: "n0", to }, { avoidNodes, avoidEdges });
          assert.equal(path?.length, ways.get(to)?.distance);
          let from = "n0";
          for (const hop of path ?? []) {
            assert(areLinked(graph, from, hop));
            assert(!avoidNodes.includes(hop));
            assert(!avoidEdges.some((one) => one.includes(from) && one.includes(hop)));
            from = hop;
          }
        }
      },
    ),
    runs(100),
  );
});
