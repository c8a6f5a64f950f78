import assert from "node:assert/strict";
import fc from "fast-check";
import {
  allStandingLinks,
  type Member,
  type Self,
  standingLinks,
  topologyOf,
} from "../../../modules/mesh/topology.ts";
import { keyIdOf } from "./adverts.ts";

function node(name: string, change: Partial<Member> = {}): Member {
  return {
    name,
    keyId: keyIdOf(name),
    endpoints: [`tcp:${name}:1`],
    segment: "main",
    groups: [],
    state: "up",
    ...change,
  };
}

const GATEWAY = { groups: ["gateway"] };

function selfOf(name: string, gateway = false, segment = "main"): Self {
  return { keyId: keyIdOf(name), segment, gateway };
}

function seed(name: string) {
  return { name, keyId: keyIdOf(name), endpoints: ["tcp:s:1"] };
}

/** As "name rank", in the order of the names. */
function wanted(nodes: readonly Member[], options: Parameters<typeof topologyOf>[1]): string[] {
  return [...topologyOf(nodes, options).wanted.values()]
    .map(({ name, rank, later }) => `${name} ${rank}${later ? " later" : ""}`).sort();
}

Deno.test("topology: a small mesh is a full graph, and lost nodes are dialled too", () => {
  const nodes = [
    node("me"),
    node("a"),
    node("b", { state: "down" }),
    node("c", { state: "left" }),
  ];
  const { kept } = topologyOf(nodes, { self: selfOf("me"), seeds: [] });
  assert.deepEqual(wanted(nodes, { self: selfOf("me"), seeds: [] }), ["a 0", "b 2"]);
  assert.deepEqual([...kept], [keyIdOf("a")]);
});

Deno.test("topology: seeds are wanted for ever, by all endpoints that are known, unless they are up", () => {
  const seeds = ["a", "b", "c", "d", "me"].map(seed);
  const nodes = [node("a"), node("b", { state: "down" }), node("c", { state: "left" })];
  const options = { self: selfOf("me"), seeds };
  assert.deepEqual(wanted(nodes, options), ["a 0", "b 1", "c 1", "d 1"]);
  const { wanted: links } = topologyOf(nodes, options);
  assert.deepEqual(links.get(keyIdOf("b"))?.endpoints, ["tcp:b:1", "tcp:s:1"]);
  assert.deepEqual(links.get(keyIdOf("d"))?.endpoints, ["tcp:s:1"]);
});

Deno.test("topology: a newcomer dials a few of many seeds first", () => {
  const seeds = Array.from({ length: 40 }, (_, index) => seed(`n${index}`));
  const links = wanted([node("me")], { self: selfOf("me"), seeds });
  assert.equal(links.length, 40);
  const first = links.filter((link) => !link.endsWith("later"));
  assert(first.length >= 2 && first.length <= 4, first.join(", "));
});

Deno.test("topology: a seed that is up and not beside us is no link of ours", () => {
  const nodes = Array.from({ length: 60 }, (_, index) => node(`n${index}`));
  const { wanted: links } = topologyOf(nodes, {
    self: selfOf("n0"),
    seeds: nodes.slice(1).map(({ name }) => seed(name)),
  });
  assert(links.size <= 8, `${links.size} links`);
});

Deno.test("topology: only gateways dial other segments, and gateways alone", () => {
  const nodes = [
    node("me", GATEWAY),
    node("a"),
    node("b", { segment: "other" }),
    node("g", { segment: "other", ...GATEWAY }),
    node("h", { segment: "other", ...GATEWAY, state: "down" }),
    node("c", { segment: "other", state: "down" }),
  ];
  const seeds = [seed("c"), seed("h"), { ...seed("far"), segment: "third" }];
  assert.deepEqual(wanted(nodes, { self: selfOf("me"), seeds }), ["a 0"]);
  assert.deepEqual(wanted(nodes, { self: selfOf("me", true), seeds }), [
    "a 0",
    "far 1",
    "g 0",
    "h 1",
  ]);
  const { lost } = topologyOf(nodes, { self: selfOf("me"), seeds });
  assert.deepEqual(lost, []);
});

Deno.test("topology: what stands is what each node wants of those that are up", () => {
  const nodes = [
    ...Array.from({ length: 30 }, (_, index) => node(`n${index}`, index < 3 ? GATEWAY : {})),
    ...Array.from(
      { length: 5 },
      (_, index) => node(`m${index}`, { segment: "other", ...(index < 2 ? GATEWAY : {}) }),
    ),
  ];
  const all = allStandingLinks(nodes);
  assert.equal(all.size, nodes.length);
  for (const one of nodes) {
    const self = selfOf(one.name, one.groups.includes("gateway"), one.segment);
    const { wanted: links, kept } = topologyOf(nodes, { self, seeds: [] });
    assert.deepEqual(new Set(links.keys()), standingLinks(nodes, one));
    assert.deepEqual(all.get(one.keyId), standingLinks(nodes, one));
    for (const keyId of links.keys()) assert(kept.has(keyId));
  }
});

Deno.test("topology: each lost node is either dialled for ever or among those dialled by chance", () => {
  const nodes = Array.from(
    { length: 100 },
    (_, index) => node(`n${index}`, { state: index % 3 === 0 ? "up" : "down" }),
  );
  const { wanted: links, lost, searchers } = topologyOf(nodes, { self: selfOf("n0"), seeds: [] });
  assert.equal(searchers, 34);
  const dialled = [...links.values()].filter(({ rank }) => rank === 2).length;
  assert(dialled <= 10, `${dialled} lost nodes are dialled for ever`);
  assert.equal(dialled + lost.length, 66);
});

Deno.test("topology: two parts of a mesh of any size dial each other", () => {
  fc.assert(fc.property(
    fc.integer({ min: 2, max: 80 }),
    fc.nat(),
    fc.integer({ min: 1, max: 79 }),
    (count, seed, cut) => {
      const nodes = Array.from({ length: count }, (_, index) => node(`${seed} ${index}`));
      const size = 1 + cut % (count - 1);
      // As the first part sees it; the other part sees the same edges from the other side.
      const seen = nodes.map((one, index) =>
        index < size ? one : { ...one, state: "down" as const }
      );
      const dialled = seen.slice(0, size).some(({ name }) =>
        [...topologyOf(seen, { self: selfOf(name), seeds: [] }).wanted.values()]
          .some(({ rank }) => rank === 2)
      );
      assert(dialled);
    },
  ));
});
