import assert from "node:assert/strict";
import fc from "fast-check";
import { FANOUT_MAX } from "../../../modules/group/limits.ts";
import { type Edge, split } from "../../../modules/group/tree.ts";
import { MeshPicture, type NodeView } from "../../../modules/shared/mesh_view.ts";

const SEED = 20_260_102;
const SINCE = 1_000;

type Graph = ReadonlyMap<number, ReadonlySet<number>>;

function name(i: number): string {
  return `n${i}`;
}

function graphOf(size: number, edges: readonly (readonly [number, number])[]): Graph {
  const graph = new Map(Array.from({ length: size }, (_, i) => [i, new Set<number>()]));
  for (const [a, b] of edges) {
    if (a === b) continue;
    graph.get(a)?.add(b);
    graph.get(b)?.add(a);
  }
  return graph;
}

function full(size: number): Graph {
  const all = Array.from({ length: size }, (_, i) => i);
  return graphOf(size, all.flatMap((a) => all.slice(a + 1).map((b) => [a, b] as const)));
}

/** What node `self` believes. */
function pictureOf(graph: Graph, self: number, down: ReadonlySet<number> = new Set()): MeshPicture {
  const nodes = [...graph].map(([i, links]): NodeView => ({
    name: name(i),
    keyId: `key${i}`,
    groups: [],
    segment: "main",
    endpoints: [],
    state: down.has(i) ? "down" : "up",
    since: SINCE,
    version: "test",
    instance: "",
    incarnation: 1,
    links: [...links].map((to) => `key${to}`),
  }));
  return new MeshPicture({ self: `key${self}`, nodes });
}

interface Walk {
  /** How often each target got it. */
  readonly got: Map<string, number>;
  readonly lost: string[];
  hops: number;
  fanout: number;
}

/** Sends along the splits of all nodes, as they would over links. */
function walk(graph: Graph, options: { from: number; targets: readonly number[]; avoid?: Edge[] }) {
  const { from, targets, avoid = [] } = options;
  const pictures = new Map([...graph.keys()].map((i) => [i, pictureOf(graph, i)]));
  const result: Walk = { got: new Map(), lost: [], hops: 0, fanout: 0 };
  const visit = (at: number, mine: ReadonlyMap<number, string>, via: readonly string[]): void => {
    const shares = split(mine, {
      picture: pictures.get(at) as MeshPicture,
      selfName: name(at),
      via,
      avoid,
      linked: () => true,
    });
    result.hops = Math.max(result.hops, via.length);
    result.fanout = Math.max(result.fanout, shares.parts.length);
    if (shares.own !== undefined) {
      const own = mine.get(shares.own) as string;
      assert.equal(own, name(at));
      result.got.set(own, (result.got.get(own) ?? 0) + 1);
    }
    for (const { indices } of shares.lost) {
      result.lost.push(...indices.map((index) => mine.get(index) as string));
    }
    for (const { next, indices } of shares.parts) {
      const part = new Map(indices.map((index) => [index, mine.get(index) as string]));
      visit(Number(next.slice(3)), part, [...via, name(at)]);
    }
  };
  visit(from, new Map(targets.map((target, index) => [index, name(target)])), []);
  return result;
}

Deno.test("tree: in any graph each target with a way gets it once, and the others are lost once", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 40 }),
      fc.array(fc.tuple(fc.nat(39), fc.nat(39)), { maxLength: 120 }),
      fc.uniqueArray(fc.nat(39)),
      (size, pairs, wanted) => {
        const graph = graphOf(size, pairs.filter(([a, b]) => a < size && b < size));
        const targets = wanted.filter((i) => i < size);
        const { got, lost } = walk(graph, { from: 0, targets });
        const reach = pictureOf(graph, 0);
        for (const target of targets) {
          const way = reach.wayTo(`key${target}`);
          // A way longer than the hop limit counts as none.
          const reachable = target === 0 || (way !== undefined && way.distance <= 16);
          assert.equal(got.get(name(target)) ?? 0, reachable ? 1 : 0, name(target));
          assert.equal(lost.filter((each) => each === name(target)).length, reachable ? 0 : 1);
        }
        assert.equal(got.size + lost.length, targets.length);
      },
    ),
    { seed: SEED, numRuns: 150 },
  );
});

Deno.test("tree: in a full mesh of 64 nobody talks to more than the limit, and two hops are enough", () => {
  const targets = Array.from({ length: 64 }, (_, i) => i);
  const { got, lost, hops, fanout } = walk(full(64), { from: 5, targets });
  assert.equal(got.size, 64);
  assert.deepEqual(lost, []);
  assert.ok([...got.values()].every((count) => count === 1));
  assert.equal(fanout, FANOUT_MAX);
  assert.equal(hops, 2);
});

Deno.test("tree: a hub whose neighbours know only it talks to all of them", () => {
  const leaves = Array.from({ length: 40 }, (_, i) => i + 1);
  const star = graphOf(41, leaves.map((leaf) => [0, leaf]));
  const { got, hops, fanout } = walk(star, { from: 0, targets: leaves });
  assert.equal(got.size, 40);
  assert.equal(fanout, 40);
  assert.equal(hops, 1);
});

Deno.test("tree: an edge to be avoided is gone around where there is another way", () => {
  // 0 - 1 - 3 and 0 - 2 - 4 - 3
  const graph = graphOf(5, [[0, 1], [1, 3], [0, 2], [2, 4], [4, 3]]);
  const around = walk(graph, { from: 0, targets: [3], avoid: [["n1", "n3"]] });
  assert.equal(around.got.get("n3"), 1);
  assert.equal(around.hops, 3);
  const anyhow = walk(graph, { from: 0, targets: [3], avoid: [["n1", "n3"], ["n3", "n4"]] });
  assert.deepEqual([anyhow.got.get("n3"), anyhow.hops, anyhow.lost], [1, 2, []]);
});

Deno.test("tree: an edge to be avoided leads nobody over a link of its own that is gone", () => {
  const options = { picture: pictureOf(graphOf(2, [[0, 1]]), 0), selfName: "n0", via: [] };
  const shares = (isLinked: boolean) =>
    split(new Map([[0, "n1"]]), { ...options, avoid: [["n0", "n1"]], linked: () => isLinked });
  assert.deepEqual(shares(true).parts, [{ next: "key1", indices: [0] }]);
  assert.equal(shares(false).lost[0]?.detail.reason, "No way to it");
});

Deno.test("tree: nodes that are down, unknown or behind a broken link are named with the reason", () => {
  const graph = graphOf(4, [[0, 1], [1, 2]]);
  const targets = new Map([[0, "n1"], [1, "n2"], [2, "n3"], [3, "n9"]]);
  const { parts, lost } = split(targets, {
    picture: pictureOf(graph, 0, new Set([3])),
    selfName: "n0",
    via: [],
    avoid: [],
    linked: () => false,
  });
  assert.deepEqual(parts, []);
  assert.deepEqual(lost.map(({ indices, detail }) => [indices, detail.reason, detail.since]), [
    [[0, 1], "No way to it", undefined],
    [[2], "Down", SINCE],
    [[3], 'Not known to "n0"', undefined],
  ]);
});

Deno.test("tree: nodes that disagree about the way do not send in circles", () => {
  const graph = graphOf(3, [[0, 1], [1, 2]]);
  const { lost } = split(new Map([[0, "n2"]]), {
    picture: pictureOf(graph, 0),
    selfName: "n0",
    via: ["n2", "n1"],
    avoid: [],
    linked: () => true,
  });
  assert.equal(lost[0]?.detail.reason, "Nodes do not agree on the way to it");
});
