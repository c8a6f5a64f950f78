import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalKey } from "../../../modules/shared/canonical.ts";

Deno.test("canonical: equal values have equal keys and others do not", () => {
  const same: [unknown, unknown][] = [
    [{ a: 1, b: [2] }, { b: [2], a: 1 }],
    [0, -0],
    [{ a: undefined }, {}],
    [new Uint8Array([1, 255]), new Uint8Array([0, 1, 255]).subarray(1)],
    [Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  ];
  for (const [a, b] of same) assert.equal(canonicalKey(a), canonicalKey(b));
  const different = [
    null,
    true,
    1,
    1n,
    "1",
    "true",
    "null",
    NaN,
    Infinity,
    [],
    {},
    [1],
    [[1]],
    ["1"],
    { a: 1 },
    { a: "1" },
    { a: [1] },
    ["a", 1],
    "",
    new Uint8Array(0),
    new Uint8Array([1]),
    "<01>",
    [1, 2],
    ["1,2"],
  ];
  assert.equal(new Set(different.map(canonicalKey)).size, different.length);
});

Deno.test("canonical: keys are equal exactly when JSON values are", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), fc.jsonValue({ maxDepth: 3 }), (a, b) => {
      const [x, y] = [a, b].map((value) => JSON.parse(JSON.stringify(value)) as unknown);
      assert.equal(canonicalKey(x), canonicalKey(structuredClone(x)));
      assert.equal(canonicalKey(x) === canonicalKey(y), equal(x, y));
    }),
    { seed: 1, numRuns: 1_000 },
  );
});

Deno.test("canonical: what is too deep, too large or no plain data is refused", () => {
  let deep: unknown = 1;
  for (let i = 0; i < 40; i++) deep = [deep];
  assert.throws(() => canonicalKey(deep), {
    name: "ProtocolError",
    message: "Value is nested deeper than 32",
  });
  assert.throws(() => canonicalKey(new Map()), {
    name: "ProtocolError",
    message: "Value is no plain data but object",
  });
  assert.throws(() => canonicalKey(() => 1), /Value is no plain data but function/);
  assert.throws(
    () => canonicalKey("x".repeat(17_000_000)),
    /Value has more than 16777216 characters/,
  );
});

function equal(a: unknown, b: unknown): boolean {
  try {
    assert.deepStrictEqual(a, b);
    return true;
  } catch {
    return false;
  }
}
