import assert from "node:assert/strict";
import fc from "fast-check";
import { Fold, formatFold } from "../../../modules/shared/fold.ts";

Deno.test("fold: equal answers become one set, the largest first and then by name", () => {
  const fold = new Fold<unknown>();
  fold.add("n10", { kernel: "6.1", cores: 2 });
  fold.add("n9", { cores: 2, kernel: "6.1" });
  fold.add("n2", { cores: 4, kernel: "6.1" });
  fold.add("n1", "unknown");
  assert.deepEqual(fold.groups(), [
    { nodeset: "n[9-10]", names: ["n9", "n10"], value: { kernel: "6.1", cores: 2 } },
    { nodeset: "n1", names: ["n1"], value: "unknown" },
    { nodeset: "n2", names: ["n2"], value: { cores: 4, kernel: "6.1" } },
  ]);
});

Deno.test("fold: a target that repeats itself counts once", () => {
  const fold = new Fold<string>();
  fold.add("n1", "a");
  fold.add("n1", "a");
  assert.deepEqual(fold.groups()[0]?.names, ["n1"]);
});

Deno.test("fold: the order of answers does not change the result", () => {
  const answers = fc.uniqueArray(
    fc.tuple(fc.nat(50).map((n) => `n${n}`), fc.constantFrom("a", "b", "c")),
    { selector: ([name]) => name },
  );
  fc.assert(
    fc.property(answers, (list) => {
      const forth = new Fold<string>();
      const back = new Fold<string>();
      for (const [name, value] of list) forth.add(name, value);
      for (const [name, value] of list.toReversed()) back.add(name, value);
      assert.deepEqual(forth.groups(), back.groups());
    }),
    { seed: 1, numRuns: 300 },
  );
});

Deno.test("fold: blocks are printed as clush -b does", () => {
  const fold = new Fold<string>();
  for (const name of ["n1", "n2", "n3"]) fold.add(name, "up\n");
  fold.add("n4", "down");
  assert.equal(
    formatFold(fold.groups(), (value) => value),
    "---------------\nn[1-3] (3)\n---------------\nup\n---------------\nn4\n---------------\ndown\n",
  );
});
