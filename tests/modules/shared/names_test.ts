import assert from "node:assert/strict";
import fc from "fast-check";
import { compareNames, sortedNames } from "../../../modules/shared/names.ts";

Deno.test("names: runs of digits compare as numbers", () => {
  const expected = [
    "a",
    "n",
    "n-1",
    "n.x",
    "n0",
    "n1",
    "n01",
    "n1a",
    "n1b2",
    "n1b10",
    "n2",
    "n10",
    "na",
  ];
  assert.deepEqual(sortedNames(expected.toReversed()), expected);
  assert.ok(compareNames("n99999999999999999998", "n99999999999999999999") < 0);
  assert.ok(compareNames("n9", "n00000000000000000000010") < 0);
});

Deno.test("names: the order is total, only equal names compare equal", () => {
  const name = fc.string({ unit: fc.constantFrom(..."0019ab-:"), maxLength: 6 });
  fc.assert(
    fc.property(name, name, name, (a, b, c) => {
      assert.equal(compareNames(a, b) === 0, a === b);
      assert.equal(Math.sign(compareNames(a, b)), -Math.sign(compareNames(b, a)) + 0);
      if (compareNames(a, b) < 0 && compareNames(b, c) < 0) assert.ok(compareNames(a, c) < 0);
    }),
    { seed: 1, numRuns: 20_000 },
  );
});
