/**
 * Sets of node names as text, with the habits of ClusterShell and pdsh:
 *
 *   n[001-064]   n[1-9/2]   r[1-2]n[1-4]   a,b   a b   @group   @rack[1-3]   *   n*   @*
 *   x,y union    x!y difference    x&y intersection    x^y symmetric difference    x,-y without y
 *
 * Operators have no precedence: a set is read from left to right, as clush does. Only `-y` (pdsh) is
 * taken away at the very end, wherever it stands. `n1` and `n01` are different names; a range whose
 * first number starts with 0 is padded to its width.
 */
import { UsageError } from "../../core/mod.ts";
import { compareNames, sortedNames } from "./names.ts";
import { excerpt } from "./excerpt.ts";
import {
  type NodesetLimits,
  type NodesetProblem,
  type NodesetSource,
  readNodeset,
} from "./nodeset_parse.ts";
import { printable } from "./text.ts";

export { foldInOrder, foldNodeset } from "./nodeset_fold.ts";
export type { NodesetSource } from "./nodeset_parse.ts";

/**
 * The names of a set, naturally sorted, each once. Empty text is the empty set.
 *
 * @throws UsageError with the position and a caret under it; also when the set has more than
 * `namesMax` names, or uses `@group` or `*` and `source` cannot tell what they are.
 */
export function parseNodeset(
  text: string,
  source: NodesetSource = {},
  limits: NodesetLimits = {},
): string[] {
  const names = readNodeset(text, source, limits);
  if (!Array.isArray(names)) throw nodesetError(text, names);
  return names.sort(compareNames);
}

/**
 * The names of a plain list (ranges and commas, no operators, groups or patterns) in the order in
 * which they are written, repetitions kept: for pairing names with addresses.
 */
export function listNodeset(text: string, limits: NodesetLimits = {}): string[] {
  const names = readNodeset(text, {}, { ...limits, list: true });
  if (!Array.isArray(names)) throw nodesetError(text, names);
  return names;
}

/** Names in either list; naturally sorted, unique. */
export function unionNames(a: Iterable<string>, b: Iterable<string>): string[] {
  return sortedNames(new Set(a).union(new Set(b)));
}

/** Names in the first list and not in the second; naturally sorted, unique. */
export function differenceNames(a: Iterable<string>, b: Iterable<string>): string[] {
  return sortedNames(new Set(a).difference(new Set(b)));
}

/** Names in both lists; naturally sorted, unique. */
export function intersectionNames(a: Iterable<string>, b: Iterable<string>): string[] {
  return sortedNames(new Set(a).intersection(new Set(b)));
}

/** Names in exactly one of the lists; naturally sorted, unique. */
export function symmetricDifferenceNames(a: Iterable<string>, b: Iterable<string>): string[] {
  return sortedNames(new Set(a).symmetricDifference(new Set(b)));
}

function nodesetError(text: string, problem: NodesetProblem): UsageError {
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  const where = `Cannot read nodeset ${JSON.stringify(printable(shown))}`;
  const position = `character ${problem.offset + 1}`;
  return new UsageError(
    `${where}: ${problem.reason} (${position})\n${excerpt(text, problem.offset)}`,
    problem.cause === undefined ? {} : { cause: problem.cause },
  );
}
