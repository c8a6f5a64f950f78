/**
 * The other way of nodeset.ts: names to the shortest set that we find, the same text for the same
 * names in any order. What `foldNodeset` writes, `parseNodeset` reads back.
 *
 * Names of one pattern (`r%n%`) are points of a grid. One dimension at a time, points that differ
 * only there become a set of indices, and points with equal sets become one product. The order of
 * dimensions matters for ragged grids, so each is tried as the first one, and the shortest text wins.
 */
import {
  NODESET_DIGITS_MAX,
  NODESET_FOLD_RUNS_MAX,
  NODESET_FOLD_SEARCH_NAMES_MAX,
} from "./limits.ts";
import { compareNames, digitsEnd, isDigit, sortedNames } from "./names.ts";
import { isNodeCharacter } from "./nodeset_parse.ts";

/** The names as a nodeset. A name with characters that no nodeset can hold is written as it is. */
export function foldNodeset(names: Iterable<string>): string {
  const patterns = new Map<string, { literals: readonly string[]; points: string[][] }>();
  const folded: { first: string; text: string }[] = [];
  for (const name of sortedNames(names)) {
    const { literals, indices } = split(name);
    if (indices.length === 0) {
      folded.push({ first: name, text: name });
      continue;
    }
    const key = literals.join("\0");
    const pattern = patterns.get(key);
    if (pattern === undefined) patterns.set(key, { literals, points: [indices] });
    else pattern.points.push(indices);
  }
  for (const { literals, points } of patterns.values()) {
    for (const product of foldPoints(points)) {
      const first = product.map((set) => set.slice(0, digitsEnd(set, 0)));
      folded.push({ first: weave(literals, first), text: weave(literals, product.map(bracket)) });
    }
  }
  folded.sort((a, b) => compareNames(a.first, b.first));
  return folded.map((part) => part.text).join(",");
}

/**
 * The names as a list in the order given, repetitions kept: what `listNodeset` reads back. Only
 * neighbours that count up by one in one place are folded.
 */
export function foldInOrder(names: Iterable<string>): string {
  const parts: string[] = [];
  let run: Run | undefined;
  for (const name of names) {
    const { literals, indices } = split(name);
    const place = run === undefined ? -1 : placeOfNext(run, literals, indices);
    if (run !== undefined && place >= 0) {
      run.place = place;
      run.last = indices;
      continue;
    }
    if (run !== undefined) parts.push(runText(run));
    run = { literals, first: indices, last: indices, place: -1 };
  }
  if (run !== undefined) parts.push(runText(run));
  return parts.join(",");
}

/** Literals around runs of digits; always one literal more than indices. */
type Split = { literals: string[]; indices: string[] };

function split(name: string): Split {
  const runs: [number, number][] = [];
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (!isNodeCharacter(code)) return { literals: [name], indices: [] };
    if (!isDigit(code)) continue;
    const end = digitsEnd(name, i);
    if (end - i <= NODESET_DIGITS_MAX) runs.push([i, end]);
    i = end - 1;
  }
  const literals: string[] = [];
  const indices: string[] = [];
  let from = 0;
  for (const [start, end] of runs.slice(-NODESET_FOLD_RUNS_MAX)) {
    literals.push(name.slice(from, start));
    indices.push(name.slice(start, end));
    from = end;
  }
  literals.push(name.slice(from));
  return { literals, indices };
}

function weave(literals: readonly string[], indices: readonly string[]): string {
  let text = literals[0] ?? "";
  indices.forEach((index, i) => text += index + (literals[i + 1] ?? ""));
  return text;
}

function bracket(set: string): string {
  return digitsEnd(set, 0) === set.length ? set : `[${set}]`;
}

/** A set of indices for each dimension; together they stand for every combination. */
type Product = string[];

function foldPoints(points: readonly string[][]): Product[] {
  const first = points[0] ?? [];
  const varying = first.map((_, i) => i).filter((i) =>
    points.some((point) => point[i] !== first[i])
  );
  if (varying.length === 0) return [first];
  let best = foldAlong(points, varying);
  if (points.length > NODESET_FOLD_SEARCH_NAMES_MAX) return best;
  for (let turn = 1; turn < varying.length && best.length > 1; turn++) {
    const turned = [...varying.slice(turn), ...varying.slice(0, turn)];
    const other = foldAlong(points, turned);
    if (cost(other) < cost(best)) best = other;
  }
  return best;
}

function cost(products: readonly Product[]): number {
  return products.reduce((sum, product) => sum + product.join("[]").length + 1, 0);
}

/** Folds the last of `dimensions` first, then what has equal sets there along the others. */
function foldAlong(points: readonly string[][], dimensions: readonly number[]): Product[] {
  const dimension = dimensions.at(-1);
  if (dimension === undefined) return points.slice(0, 1).map((point) => [...point]);
  const others = dimensions.slice(0, -1);
  const lines = new Map<string, { point: string[]; indices: string[] }>();
  for (const point of points) {
    const key = others.map((other) => point[other]).join("\0");
    const index = point[dimension] ?? "";
    const line = lines.get(key);
    if (line === undefined) lines.set(key, { point, indices: [index] });
    else line.indices.push(index);
  }
  const bySet = new Map<string, string[][]>();
  for (const { point, indices } of lines.values()) {
    const set = indexSet(indices);
    const equal = bySet.get(set);
    if (equal === undefined) bySet.set(set, [point]);
    else equal.push(point);
  }
  const products: Product[] = [];
  for (const [set, equal] of bySet) {
    for (const product of foldAlong(equal, others)) {
      product[dimension] = set;
      products.push(product);
    }
  }
  return products;
}

type IndexRun = { first: string; last: string; number: number };

/**
 * Different indices as text: `1-3,007`. An index like "10" continues both 9 and 09; it goes with
 * the unpadded run when there is one.
 */
function indexSet(indices: readonly string[]): string {
  if (indices.length === 1) return indices[0] ?? "";
  const sorted = indices
    .map((text) => ({ text, number: Number(text) }))
    .sort((a, b) => a.number - b.number || a.text.length - b.text.length);
  const runs: IndexRun[] = [];
  /** The newest run of each padding: at most one of them can go on at any number. */
  const newest: (IndexRun | undefined)[] = [];
  for (const { text, number } of sorted) {
    const run = continued(newest, text, number);
    if (run !== undefined) {
      run.last = text;
      run.number = number;
      continue;
    }
    const started = { first: text, last: text, number };
    newest[isPadded(text) ? text.length : 0] = started;
    runs.push(started);
  }
  return runs.map(rangeText).join(",");
}

function continued(
  newest: readonly (IndexRun | undefined)[],
  text: string,
  number: number,
): IndexRun | undefined {
  const goesOn = (run: IndexRun | undefined) => run !== undefined && run.number === number - 1;
  if (isPadded(text)) return goesOn(newest[text.length]) ? newest[text.length] : undefined;
  if (goesOn(newest[0])) return newest[0];
  for (let width = text.length; width > 1; width--) if (goesOn(newest[width])) return newest[width];
  return undefined;
}

function isPadded(text: string): boolean {
  return text.length > 1 && text.startsWith("0");
}

function rangeText(run: { first: string; last: string }): string {
  return run.first === run.last ? run.first : `${run.first}-${run.last}`;
}

/** Names that count up in one place, from first to last. */
type Run = {
  literals: readonly string[];
  first: readonly string[];
  last: readonly string[];
  place: number;
};

/** The place where `indices` is one more than the run's last name and equal elsewhere, or -1. */
function placeOfNext(run: Run, literals: readonly string[], indices: readonly string[]): number {
  if (literals.length !== run.literals.length) return -1;
  if (literals.some((literal, i) => literal !== run.literals[i])) return -1;
  const places = indices.map((_, i) => i).filter((i) => indices[i] !== run.last[i]);
  const place = places[0] ?? -1;
  if (places.length !== 1 || (run.place >= 0 && run.place !== place)) return -1;
  const first = run.first[place] ?? "";
  const next = String(Number(run.last[place]) + 1).padStart(
    isPadded(first) ? first.length : 0,
    "0",
  );
  return indices[place] === next ? place : -1;
}

function runText(run: Run): string {
  return weave(
    run.literals,
    run.first.map((index, i) => bracket(rangeText({ first: index, last: run.last[i] ?? index }))),
  );
}
