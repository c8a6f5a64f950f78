import assert from "node:assert/strict";
import fc from "fast-check";
import * as v from "valibot";
import { fromRanges, toRanges } from "../../../modules/group/ranges.ts";
import { createReducer, pickField } from "../../../modules/group/reducers.ts";
import { type ReduceInput, ReduceSchema } from "../../../modules/shared/group_request.ts";
import { HISTOGRAM_BUCKETS_MAX } from "../../../modules/group/limits.ts";

const SEED = 20_260_101;

function reducer(reduce: ReduceInput) {
  return createReducer(v.parse(ReduceSchema, reduce));
}

const KINDS: readonly ReduceInput[] = [
  { kind: "count" },
  { kind: "sum" },
  { kind: "min" },
  { kind: "max" },
  { kind: "mean" },
  { kind: "histogram", width: 3 },
  { kind: "top", count: 4 },
  { kind: "fold" },
];

Deno.test("ranges: what is written is read back, ascending", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 65_535 })), (indices) => {
      const sorted = [...indices].sort((a, b) => a - b);
      assert.deepEqual(fromRanges(toRanges(indices)), sorted);
    }),
    { seed: SEED },
  );
});

Deno.test("ranges: what no writer would write is refused", () => {
  for (
    const ranges of [[1], [2, 1], [0, 1, 1, 2], [0, 1, 2, 3], [-1, 0], [0, 65_536], [0.5, 1], [
      0,
      NaN,
    ], [5, 6, 1, 2]]
  ) {
    assert.throws(() => fromRanges(ranges), { name: "ProtocolError" }, String(ranges));
  }
});

for (const kind of KINDS) {
  Deno.test(`reducer: ${kind.kind} does not depend on the shape of the tree`, () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -1_000, max: 1_000 }), { minLength: 1, maxLength: 60 }),
        fc.infiniteStream(fc.nat()),
        (values, chances) => {
          const flat = reducer(kind);
          values.forEach((value, index) => flat.add(index, value));
          // Each value alone, then merged two by two in any order.
          const states = values.map((value, index) => {
            const one = reducer(kind);
            one.add(index, value);
            return { indices: [index], state: one.take() };
          });
          const draw = () => {
            const at = (chances.next().value as number) % states.length;
            return states.splice(at, 1)[0] as typeof states[number];
          };
          while (states.length > 1) {
            const both = reducer(kind);
            const [a, b] = [draw(), draw()];
            both.merge(a.state, a.indices);
            both.merge(b.state, b.indices);
            states.push({ indices: [...a.indices, ...b.indices], state: both.take() });
          }
          const tree = reducer(kind);
          tree.merge(states[0]?.state, states[0]?.indices ?? []);
          const names = values.map((_, index) => `n${index}`);
          assert.deepEqual(tree.result(names), flat.result(names));
          assert.deepEqual(sorted(tree.take()), sorted(flat.take()));
          assert.equal(tree.take(), undefined);
        },
      ),
      { seed: SEED, numRuns: 60 },
    );
  });
}

function sorted(state: unknown): unknown {
  if (!Array.isArray(state)) return state;
  return state.map((entry) => JSON.stringify(entry)).sort();
}

Deno.test("reducer: a histogram widens its buckets instead of growing", () => {
  const wide = reducer({ kind: "histogram", width: 1 });
  for (let i = 0; i < 1_000; i++) wide.add(i, i);
  const { width, buckets } = wide.result([]) as { width: number; buckets: [number, number][] };
  assert.equal(width, 4);
  assert.equal(buckets.length, 250);
  assert.ok(buckets.length <= HISTOGRAM_BUCKETS_MAX);
  assert.equal(buckets.reduce((sum, [, count]) => sum + count, 0), 1_000);
});

Deno.test("reducer: states about other targets are refused", () => {
  const wrong: readonly [ReduceInput, unknown][] = [
    [{ kind: "count" }, 3],
    [{ kind: "sum" }, { n: 2, sum: 1, min: [1, 0], max: [1, 7] }],
    [{ kind: "sum" }, { n: 1, sum: 1, min: [1, 0], max: [1, 0] }],
    [{ kind: "top", count: 2 }, [[1, 0], [1, 0]]],
    [{ kind: "top", count: 2 }, [[1, 0]]],
    [{ kind: "histogram" }, { doublings: 0, buckets: [[0, 1]] }],
    [{ kind: "histogram" }, { doublings: -1, buckets: [[0, 2]] }],
    [{ kind: "fold" }, [[[0, 0], 1]]],
    [{ kind: "fold" }, [[[0, 1], 1], [[1, 1], 2]]],
    [{ kind: "fold" }, "x"],
  ];
  for (const [reduce, state] of wrong) {
    assert.throws(
      () => reducer(reduce).merge(state, [0, 1]),
      { name: "ProtocolError" },
      JSON.stringify([reduce, state]),
    );
  }
});

Deno.test("reducer: a field is a path of own properties", () => {
  assert.equal(pickField({ a: { b: [1, 2] } }, "a.b.1"), 2);
  for (const field of ["a.c", "toString", "__proto__", "a.b.length.x"]) {
    assert.throws(() => pickField({ a: { b: [] } }, field), {
      name: "CallError",
      message: `Answer has no field "${field}"`,
    });
  }
});
