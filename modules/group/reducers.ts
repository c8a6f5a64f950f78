/**
 * How answers are put together, as monoids: `merge` is associative and commutative, so the shape of
 * the tree never shows in the result (but for rounding in sums of fractions). States travel up in
 * partials, so `read` takes nothing for granted.
 */

import * as v from "valibot";
import { CallError, ProtocolError } from "../../core/mod.ts";
import { canonicalKey } from "../shared/canonical.ts";
import type { Reduce } from "../shared/group_request.ts";
import { ENTRY_BYTES, HISTOGRAM_BUCKETS_MAX } from "./limits.ts";
import { fromRanges, toRanges } from "./ranges.ts";

/** Collects answers between two partials. */
export interface Reducer {
  /** Bytes that `take` would give, roughly. */
  readonly bytes: number;
  /** Throws CallError when it can make nothing of the answer; nothing is changed then. */
  add(index: number, answer: unknown): void;
  /** What a node below took. Throws ProtocolError when it is not about exactly these targets. */
  merge(state: unknown, answered: readonly number[]): void;
  /** What came since the last time, as plain data; undefined: nothing. */
  take(): unknown;
  /** For the caller: what all that is in here amounts to. `names` gives the name of each index. */
  result(names: readonly string[]): unknown;
}

export function createReducer(reduce: Reduce): Reducer {
  switch (reduce.kind) {
    case "fold":
    case "list":
      return new FoldReducer(reduce.field);
    case "count":
    case "first-error":
      return new MonoidReducer(COUNT, undefined);
    case "histogram":
      return new MonoidReducer(histogram(reduce.width), reduce.field);
    case "top":
      return new MonoidReducer(top(reduce.count), reduce.field);
    default:
      return new MonoidReducer(figures(reduce.kind), reduce.field);
  }
}

/** The part of an answer that `field` names. Own properties only. Throws CallError. */
export function pickField(answer: unknown, field: string | undefined): unknown {
  if (field === undefined) return answer;
  let value = answer;
  for (const key of field.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) {
      throw new CallError("failed", `Answer has no field "${field}"`);
    }
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

const FoldState = v.array(v.tuple([v.array(v.number()), v.unknown()]));

/** Pairs of targets and the one answer that they gave: state and items of the stream. */
export type FoldedAnswers = [ranges: number[], answer: unknown][];

class FoldReducer implements Reducer {
  readonly #field: string | undefined;
  readonly #kinds = new Map<string, { answer: unknown; indices: number[] }>();
  #bytes = 0;

  constructor(field: string | undefined) {
    this.#field = field;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(index: number, answer: unknown): void {
    this.#put([index], pickField(answer, this.#field));
  }

  merge(state: unknown, answered: readonly number[]): void {
    let left = answered.length;
    const kinds = read(FoldState, state ?? []).map(([ranges, answer]) => {
      const indices = fromRanges(ranges, left);
      if (indices.length === 0) throw new ProtocolError("Partial has an answer of no target");
      left -= indices.length;
      return { indices, answer };
    });
    sameTargets(kinds.flatMap(({ indices }) => indices), answered);
    for (const { indices, answer } of kinds) this.#put(indices, answer);
  }

  take(): FoldedAnswers | undefined {
    if (this.#kinds.size === 0) return undefined;
    const state = [...this.#kinds.values()].map(({ indices, answer }): FoldedAnswers[number] => [
      toRanges(indices),
      answer,
    ]);
    this.#kinds.clear();
    this.#bytes = 0;
    return state;
  }

  result(): undefined {
    return undefined;
  }

  #put(indices: readonly number[], answer: unknown): void {
    const key = canonicalKey(answer);
    const kind = this.#kinds.get(key);
    this.#bytes += ENTRY_BYTES * indices.length;
    if (kind !== undefined) kind.indices.push(...indices);
    else {
      this.#kinds.set(key, { answer, indices: [...indices] });
      this.#bytes += key.length;
    }
  }
}

interface Monoid<S> {
  readonly empty: S;
  /** The state of one answer. Throws CallError. */
  readonly lift: (answer: unknown, index: number) => S;
  readonly merge: (a: S, b: S) => S;
  /** Throws ProtocolError. */
  readonly read: (state: unknown, answered: readonly number[]) => S;
  readonly result: (state: S, names: readonly string[]) => unknown;
  readonly bytes: (state: S) => number;
}

class MonoidReducer<S> implements Reducer {
  readonly #monoid: Monoid<S>;
  readonly #field: string | undefined;
  #state: S;
  #has = false;

  constructor(monoid: Monoid<S>, field: string | undefined) {
    this.#monoid = monoid;
    this.#field = field;
    this.#state = monoid.empty;
  }

  get bytes(): number {
    return this.#monoid.bytes(this.#state);
  }

  add(index: number, answer: unknown): void {
    this.#merge(this.#monoid.lift(pickField(answer, this.#field), index));
  }

  merge(state: unknown, answered: readonly number[]): void {
    if (answered.length > 0) this.#merge(this.#monoid.read(state, answered));
    else if (state !== undefined) throw new ProtocolError("Partial has a state of no targets");
  }

  take(): S | undefined {
    if (!this.#has) return undefined;
    const state = this.#state;
    this.#state = this.#monoid.empty;
    this.#has = false;
    return state;
  }

  result(names: readonly string[]): unknown {
    return this.#monoid.result(this.#state, names);
  }

  #merge(state: S): void {
    this.#state = this.#monoid.merge(this.#state, state);
    this.#has = true;
  }
}

const COUNT: Monoid<number> = {
  empty: 0,
  lift: () => 1,
  merge: (a, b) => a + b,
  read: (state, answered) => {
    if (state !== answered.length) throw new ProtocolError("Partial counts other targets");
    return answered.length;
  },
  result: (state) => state,
  bytes: () => ENTRY_BYTES,
};

const Entry = v.tuple([v.pipe(v.number(), v.finite()), v.pipe(v.number(), v.integer())]);
/** A number, and the index of the target that gave it. */
type Entry = [value: number, index: number];

/** Smaller values first, then smaller indices. */
function compareEntries(a: Entry, b: Entry): number {
  return a[0] - b[0] || a[1] - b[1];
}

const FiguresState = v.strictObject({
  n: v.number(),
  /** May have become infinite, or no number at all, on the way. */
  sum: v.custom<number>((sum) => typeof sum === "number"),
  min: v.optional(Entry),
  max: v.optional(Entry),
});
interface Figures {
  readonly n: number;
  readonly sum: number;
  readonly min?: Entry | undefined;
  readonly max?: Entry | undefined;
}

/** Sum, mean, smallest and largest are one state; `kind` says what is asked of it. */
function figures(kind: "sum" | "min" | "max" | "mean"): Monoid<Figures> {
  return {
    empty: { n: 0, sum: 0 },
    lift: (answer, index) => {
      const value = numberIn(answer);
      return { n: 1, sum: value, min: [value, index], max: [value, index] };
    },
    merge: (a, b) => ({
      n: a.n + b.n,
      sum: a.sum + b.sum,
      min: better(a.min, b.min, compareEntries),
      max: better(a.max, b.max, (x, y) => y[0] - x[0] || x[1] - y[1]),
    }),
    read: (state, answered) => {
      const checked = read(FiguresState, state);
      const known = new Set(answered);
      const ends = [checked.min, checked.max];
      if (checked.n !== answered.length || ends.some((end) => !end || !known.has(end[1]))) {
        throw new ProtocolError("Partial has figures of other targets");
      }
      return checked;
    },
    result: (state, names) => {
      if (kind === "sum") return state.sum;
      if (kind === "mean") return state.n === 0 ? null : state.sum / state.n;
      const end = state[kind];
      return end === undefined ? null : { value: end[0], node: names[end[1]] };
    },
    bytes: () => 4 * ENTRY_BYTES,
  };
}

function top(count: number): Monoid<readonly Entry[]> {
  const best = (entries: Entry[]) =>
    entries.sort((a, b) => b[0] - a[0] || a[1] - b[1]).slice(0, count);
  return {
    empty: [],
    lift: (answer, index) => [[numberIn(answer), index]],
    merge: (a, b) => best([...a, ...b]),
    read: (state, answered) => {
      const entries = read(v.array(Entry), state);
      const known = new Set(answered);
      const different = new Set(entries.map(([, index]) => index)).size === entries.length;
      const complete = entries.length === Math.min(count, answered.length);
      if (!different || !complete || entries.some(([, index]) => !known.has(index))) {
        throw new ProtocolError("Partial has a top list of other targets");
      }
      return entries;
    },
    result: (state, names) => state.map(([value, index]) => ({ value, node: names[index] })),
    bytes: (state) => ENTRY_BYTES * state.length,
  };
}

/** Buckets of 2^doublings times the width asked for: number of the bucket, and how many are in it. */
interface Histogram {
  readonly doublings: number;
  readonly buckets: readonly (readonly [bucket: number, count: number])[];
}
const HistogramState = v.strictObject({
  doublings: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2_100)),
  buckets: v.pipe(
    v.array(
      v.tuple([v.pipe(v.number(), v.finite()), v.pipe(v.number(), v.integer(), v.minValue(1))]),
    ),
    v.maxLength(HISTOGRAM_BUCKETS_MAX),
  ),
});

/**
 * The final width is the smallest one with few enough buckets for all answers; since more answers
 * never need a smaller one, it does not depend on the order of merging.
 */
function histogram(width: number): Monoid<Histogram> {
  return {
    empty: { doublings: 0, buckets: [] },
    lift: (answer) => {
      const bucket = Math.floor(numberIn(answer) / width);
      if (Number.isFinite(bucket)) return { doublings: 0, buckets: [[bucket, 1]] };
      throw new CallError("failed", `Answer ${answer} has no bucket of width ${width}`);
    },
    merge: (a, b) => {
      const doublings = Math.max(a.doublings, b.doublings);
      const counts = new Map<number, number>();
      for (const state of [a, b]) {
        for (const [bucket, count] of coarser(state, doublings - state.doublings)) {
          counts.set(bucket, (counts.get(bucket) ?? 0) + count);
        }
      }
      let merged: Histogram = { doublings, buckets: [...counts].sort((x, y) => x[0] - y[0]) };
      while (merged.buckets.length > HISTOGRAM_BUCKETS_MAX) {
        merged = { doublings: merged.doublings + 1, buckets: coarser(merged, 1) };
      }
      return merged;
    },
    read: (state, answered) => {
      const checked = read(HistogramState, state);
      const count = checked.buckets.reduce((sum, [, each]) => sum + each, 0);
      if (count !== answered.length) throw new ProtocolError("Partial counts other targets");
      return checked;
    },
    result: ({ doublings, buckets }) => {
      const bucketWidth = width * 2 ** doublings;
      return { width: bucketWidth, buckets: buckets.map(([n, count]) => [n * bucketWidth, count]) };
    },
    bytes: (state) => ENTRY_BYTES * state.buckets.length,
  };
}

function coarser({ buckets }: Histogram, doublings: number): Histogram["buckets"] {
  if (doublings === 0) return buckets;
  const counts = new Map<number, number>();
  for (const [bucket, count] of buckets) {
    const wider = Math.floor(bucket / 2 ** doublings);
    counts.set(wider, (counts.get(wider) ?? 0) + count);
  }
  return [...counts].sort((x, y) => x[0] - y[0]);
}

function numberIn(answer: unknown): number {
  if (typeof answer === "number" && Number.isFinite(answer)) return answer;
  throw new CallError("failed", `Answer is no number but ${describe(answer)}: name a field`);
}

function describe(answer: unknown): string {
  if (answer === null || answer === undefined) return "nothing";
  if (typeof answer === "number") return String(answer);
  return Array.isArray(answer) ? "a list" : `of type ${typeof answer}`;
}

function better(
  a: Entry | undefined,
  b: Entry | undefined,
  compare: (a: Entry, b: Entry) => number,
): Entry | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compare(a, b) <= 0 ? a : b;
}

function sameTargets(given: readonly number[], answered: readonly number[]): void {
  const left = new Set(answered);
  if (given.length === left.size && given.every((index) => left.delete(index))) return;
  throw new ProtocolError("Partial has answers of other targets than it says");
}

function read<S extends v.GenericSchema>(schema: S, state: unknown): v.InferOutput<S> {
  const parsed = v.safeParse(schema, state, { abortEarly: true });
  if (parsed.success) return parsed.output;
  throw new ProtocolError(`State of a reducer is malformed: ${parsed.issues[0].message}`);
}
