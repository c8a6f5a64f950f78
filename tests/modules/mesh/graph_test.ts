import assert from "node:assert/strict";
import fc from "fast-check";
import { allNeighbours, neighboursIn, ringsFor } from "../../../modules/mesh/graph.ts";
import { FULL_GRAPH_NODES_MAX, GRAPH_SLACK, RINGS_MAX } from "../../../modules/mesh/limits.ts";
import { figuresOf, vertexConnectivity } from "../../../tools/graph_figures.ts";
import { keyIdOf } from "./adverts.ts";

type Graph = Map<string, Set<string>>;

function keysOf(seed: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => keyIdOf(`${seed} ${index}`));
}

function graphOf(keyIds: readonly string[], slack = 1): Graph {
  return new Map(keyIds.map((keyId) => [keyId, neighboursIn(keyIds, keyId, { slack })]));
}

function edgesOf(graph: Graph): Set<string> {
  const edges = new Set<string>();
  for (const [from, links] of graph) {
    for (const to of links) edges.add(from < to ? `${from} ${to}` : `${to} ${from}`);
  }
  return edges;
}

function placesOf(graph: Graph): number[][] {
  const places = new Map([...graph.keys()].map((keyId, place) => [keyId, place]));
  return [...graph.values()].map((links) => [...links].map((to) => places.get(to) as number));
}

const someMesh = fc.record({ seed: fc.nat(), count: fc.integer({ min: 1, max: 90 }) });

Deno.test("graph: both ends want an edge, and nobody wants itself", () => {
  fc.assert(fc.property(someMesh, ({ seed, count }) => {
    const graph = graphOf(keysOf(seed, count));
    for (const [from, links] of graph) {
      assert(!links.has(from));
      for (const to of links) assert(graph.get(to)?.has(from));
    }
  }));
});

Deno.test("graph: for all at once it is what each of them finds", () => {
  fc.assert(fc.property(someMesh, ({ seed, count }) => {
    const keys = keysOf(seed, count);
    assert.deepEqual(allNeighbours(keys), graphOf(keys));
  }));
});

Deno.test("graph: a full one up to the limit, beyond it two links for each ring at most", () => {
  fc.assert(fc.property(someMesh, ({ seed, count }) => {
    for (const links of graphOf(keysOf(seed, count)).values()) {
      if (count <= FULL_GRAPH_NODES_MAX) assert.equal(links.size, count - 1);
      else assert(links.size >= 2 && links.size <= 2 * ringsFor(count));
    }
  }));
});

Deno.test("graph: whoever sees the same nodes in another order wants the same", () => {
  fc.assert(fc.property(someMesh, fc.nat(), ({ seed, count }, turn) => {
    const keys = keysOf(seed, count);
    const at = turn % count;
    const self = keys[0] as string;
    const turned = [...keys.slice(at), ...keys.slice(0, at)].reverse();
    assert.deepEqual(neighboursIn(turned, self), neighboursIn(keys, self));
  }));
});

Deno.test("graph: hardly a node can be lost that the others need", () => {
  fc.assert(
    fc.property(someMesh, ({ seed, count }) => {
      const graph = placesOf(graphOf(keysOf(seed, count)));
      const { diameter, degreeMin } = figuresOf(graph);
      if (count <= FULL_GRAPH_NODES_MAX) return;
      assert(diameter <= 4, `diameter ${diameter}`);
      // Two that are beside each other on several rings have fewer links, and still enough.
      assert(degreeMin >= 3, `degree ${degreeMin}`);
      assert(vertexConnectivity(graph) >= Math.max(3, degreeMin - 1));
    }),
    { numRuns: 60 },
  );
});

Deno.test("graph: of 1,024 nodes none is more than five hops away", () => {
  const { diameter, degreeMax } = figuresOf(placesOf(graphOf(keysOf(1, 1_024))));
  assert(diameter <= 5, `diameter ${diameter}`);
  assert.equal(degreeMax, 12);
});

Deno.test("graph: who comes or goes changes the links beside it alone", () => {
  fc.assert(fc.property(someMesh, ({ seed, count }) => {
    const keys = keysOf(seed, count + 1);
    const newcomer = keys[0] as string;
    const without = graphOf(keys.slice(1));
    const withIt = graphOf(keys);
    const sameShape = count > FULL_GRAPH_NODES_MAX && ringsFor(count) === ringsFor(count + 1);
    if (!sameShape) return;
    const before = edgesOf(without);
    const after = edgesOf(withIt);
    const beside = withIt.get(newcomer) as Set<string>;
    for (const edge of after.difference(before)) assert(edge.includes(newcomer));
    const closed = before.difference(after);
    assert(closed.size <= ringsFor(count), `${closed.size} edges closed`);
    // What is closed lay between two that are now linked with the newcomer.
    for (const edge of closed) for (const end of edge.split(" ")) assert(beside.has(end));
  }));
});

Deno.test("graph: what may stay is what a mesh somewhat larger or smaller would want", () => {
  fc.assert(fc.property(someMesh, ({ seed, count }) => {
    const keys = keysOf(seed, count);
    const wanted = graphOf(keys);
    const kept = graphOf(keys, GRAPH_SLACK);
    for (const [keyId, links] of wanted) assert(links.isSubsetOf(kept.get(keyId) as Set<string>));
  }));
  // A full graph stays when some nodes come, and a ring more when some go.
  const keys = keysOf(2, 80);
  const self = keys[0] as string;
  const size = (count: number) =>
    neighboursIn(keys.slice(0, count), self, { slack: GRAPH_SLACK }).size;
  assert.equal(size(20), 19);
  assert.equal(size(21) < 20, true);
  assert.equal(size(60) > neighboursIn(keys.slice(0, 60), self).size, true);
});

Deno.test("graph: links grow with the logarithm of the nodes, and end somewhere", () => {
  assert.deepEqual([17, 64, 65, 256, 1_024, 4_096, 16_384].map(ringsFor), [4, 4, 5, 5, 6, 7, 8]);
  assert.equal(ringsFor(65_536), RINGS_MAX);
});
