import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "../support/fuzz.ts";
import { figuresOf, type Neighbours, vertexConnectivity } from "../../tools/graph_figures.ts";

function graphOf(nodes: number, edges: readonly (readonly [number, number])[]): number[][] {
  const links = Array.from({ length: nodes }, () => new Set<number>());
  for (const [a, b] of edges) {
    if (a === b) continue;
    links[a]?.add(b);
    links[b]?.add(a);
  }
  return links.map((to) => [...to]);
}

function isConnected(graph: Neighbours, without: ReadonlySet<number>): boolean {
  const left = graph.map((_, node) => node).filter((node) => !without.has(node));
  const seen = new Set([left[0] as number]);
  for (const from of seen) for (const to of graph[from] ?? []) if (!without.has(to)) seen.add(to);
  return seen.size === left.length;
}

/** By trying all sets of nodes. */
function connectivityByTrial(graph: Neighbours): number {
  let best = graph.length - 1;
  for (let mask = 0; mask < 1 << graph.length; mask++) {
    const without = new Set(graph.map((_, node) => node).filter((node) => mask >> node & 1));
    if (without.size < best && !isConnected(graph, without)) best = without.size;
  }
  return best;
}

Deno.test("graph figures: a ring of six", () => {
  const ring = graphOf(6, Array.from({ length: 6 }, (_, i) => [i, (i + 1) % 6] as const));
  assert.deepEqual(figuresOf(ring), {
    nodes: 6,
    degreeMin: 2,
    degreeMean: 2,
    degreeMax: 2,
    diameter: 3,
    distanceMean: 1.8,
  });
  assert.equal(vertexConnectivity(ring), 2);
});

Deno.test("graph figures: two parts are infinitely far from each other", () => {
  const parts = graphOf(4, [[0, 1], [2, 3]]);
  assert.equal(figuresOf(parts).diameter, Infinity);
  assert.equal(vertexConnectivity(parts), 0);
});

Deno.test("graph figures: connectivity is that of all sets of nodes tried", () => {
  const nodes = 7;
  const edge = fc.tuple(fc.nat(nodes - 1), fc.nat(nodes - 1));
  fc.assert(
    fc.property(fc.array(edge, { minLength: 6, maxLength: 24 }), (edges) => {
      const graph = graphOf(nodes, edges);
      assert.equal(vertexConnectivity(graph), connectivityByTrial(graph));
    }),
    runs(300),
  );
});
