import assert from "node:assert/strict";
import fc from "fast-check";
import { Reach } from "../../../modules/mesh/reach.ts";

/** Each node claims links with those whose letters it has. */
function reachOf(lines: Record<string, string>): Reach {
  const reach = new Reach("a");
  for (const [from, to] of Object.entries(lines)) reach.claim(from, [...to]);
  return reach;
}

function settled(reach: Reach): string {
  const { gained, lost } = reach.settle();
  return `+${[...gained].sort().join("")} -${[...lost].sort().join("")}`;
}

Deno.test("reach: an edge counts only when both ends claim it", () => {
  const reach = reachOf({ a: "bc", b: "a", c: "" });
  assert.equal(settled(reach), "+b -");
  assert(reach.has("b"));
  assert(!reach.has("c"));
});

Deno.test("reach: nodes that claim each other for ever are not reached from outside", () => {
  assert.equal(settled(reachOf({ a: "b", b: "a", c: "de", d: "ce", e: "cd" })), "+b -");
});

Deno.test("reach: who claims a node that nobody knows reaches nothing by it", () => {
  assert.equal(settled(reachOf({ a: "x" })), "+ -");
});

Deno.test("reach: distances are those of shortest ways, whatever came first", () => {
  const reach = reachOf({ a: "b", b: "ac", c: "bd", d: "c" });
  settled(reach);
  reach.claim("a", ["b", "d"]);
  reach.claim("d", ["a", "c"]);
  assert.equal(settled(reach), "+ -");
  assert.deepEqual(Object.fromEntries(reach.distances()), { a: 0, b: 1, c: 2, d: 1 });
});

Deno.test("reach: what was behind an edge that is gone is lost, unless there is another way", () => {
  const reach = reachOf({ a: "bc", b: "ad", c: "ad", d: "bce", e: "d" });
  assert.equal(settled(reach), "+bcde -");
  reach.claim("b", ["d"]);
  assert.equal(settled(reach), "+ -");
  reach.claim("c", ["a"]);
  assert.equal(settled(reach), "+ -bde");
  reach.claim("c", undefined);
  assert.equal(settled(reach), "+ -c");
});

Deno.test("reach: after any changes the same as by closing two-way edges until nothing changes", () => {
  const names = [..."abcdefgh"];
  const change = fc.tuple(fc.constantFrom(...names), fc.option(fc.subarray(names)), fc.boolean());
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 40 }), (changes) => {
      const reach = new Reach("a");
      const claims = new Map<string, readonly string[]>();
      let before = new Set(["a"]);
      for (const [name, links, isLast] of changes) {
        reach.claim(name, links ?? undefined);
        claims.set(name, links ?? []);
        // Some changes come together.
        if (!isLast) continue;
        const { gained, lost } = reach.settle();
        const now = closure(claims);
        assert.deepEqual([...gained].sort(), [...now.difference(before)].sort());
        assert.deepEqual([...lost].sort(), [...before.difference(now)].sort());
        for (const one of names) assert.equal(reach.has(one), now.has(one));
        assert.deepEqual(new Set(reach.distances().keys()), now);
        before = now;
      }
    }),
    { seed: 8, numRuns: 1_000 },
  );
});

function closure(claims: ReadonlyMap<string, readonly string[]>): Set<string> {
  const reached = new Set(["a"]);
  for (const from of reached) {
    for (const to of claims.get(from) ?? []) if (claims.get(to)?.includes(from)) reached.add(to);
  }
  return reached;
}
