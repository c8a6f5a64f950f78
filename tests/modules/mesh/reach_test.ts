import assert from "node:assert/strict";
import fc from "fast-check";
import { reach } from "../../../modules/mesh/reach.ts";

type Claims = Map<string, Set<string>>;

function claimsOf(lines: Record<string, string>): Claims {
  return new Map(Object.entries(lines).map(([from, to]) => [from, new Set(to)]));
}

Deno.test("reach: an edge counts only when both ends claim it", () => {
  const found = reach(claimsOf({ a: "bc", b: "a", c: "" }), "a");
  assert.deepEqual([...found], [["a", "a"], ["b", "a"]]);
});

Deno.test("reach: nodes that claim each other for ever are not reached from outside", () => {
  const found = reach(claimsOf({ a: "b", b: "a", c: "de", d: "ce", e: "cd" }), "a");
  assert.deepEqual([...found.keys()].sort(), ["a", "b"]);
});

Deno.test("reach: the node before is the last one on a shortest way", () => {
  const found = reach(claimsOf({ a: "b", b: "ac", c: "bd", d: "c" }), "a");
  assert.deepEqual(Object.fromEntries(found), { a: "a", b: "a", c: "b", d: "c" });
});

Deno.test("reach: who claims a node that nobody knows reaches nothing by it", () => {
  assert.deepEqual([...reach(claimsOf({ a: "x" }), "a").keys()], ["a"]);
});

Deno.test("reach: the same nodes as by closing two-way edges until nothing changes", () => {
  const names = [..."abcdefgh"];
  const graph = fc.array(fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names)), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(graph, (edges) => {
      const claims: Claims = new Map(names.map((name) => [name, new Set<string>()]));
      for (const [from, to] of edges) claims.get(from)?.add(to);
      const wanted = new Set(["a"]);
      for (let before = 0; before !== wanted.size;) {
        before = wanted.size;
        for (const [from, to] of edges) {
          if (wanted.has(from) && claims.get(to)?.has(from)) wanted.add(to);
        }
      }
      assert.deepEqual([...reach(claims, "a").keys()].sort(), [...wanted].sort());
    }),
    { seed: 8, numRuns: 500 },
  );
});
