/**
 * The shape of the graph, as pure functions of who is there: whoever computes it over the same nodes
 * gets the same edges, so both ends of an edge want it without a word between them.
 *
 * Up to FULL_GRAPH_NODES_MAX nodes all are linked with all. Beyond, nodes lie on several rings, each
 * ordered by another part of the key id, which is a hash: on the first ring a node is linked with
 * those beside it, and the rings after it give it log-many fingers to nodes that are far away on the
 * first. Seldom do two rings agree, so the graph is as good as a random regular one (low diameter, as
 * many disjoint ways as links), and yet a node that comes or goes changes the edges beside it alone.
 */

import { FULL_GRAPH_NODES_MAX, RINGS_MAX } from "./limits.ts";

export interface GraphOptions {
  /**
   * For as many nodes more, as a factor: an edge stays while a mesh a little larger would want it,
   * so that one node more or less never changes the shape back and forth. @default 1
   */
  readonly slack?: number;
}

/** Rings for so many nodes: two links each, half as many rings as the number has binary digits. */
export function ringsFor(nodes: number): number {
  return Math.min(RINGS_MAX, 1 + Math.ceil(Math.log2(Math.max(2, nodes)) / 2));
}

/**
 * With whom `self` should be linked. Key ids are 64 hex digits each; `self` need not be among them.
 */
export function neighboursIn(
  keyIds: Iterable<string>,
  self: string,
  { slack = 1 }: GraphOptions = {},
): Set<string> {
  const others = new Set(keyIds);
  others.delete(self);
  const count = others.size + 1;
  if (count <= FULL_GRAPH_NODES_MAX * slack) return others;
  return besideOnRings([...others], {
    self,
    rings: ringsFor(count * slack),
    compare: compareOnRing,
  });
}

/** {@link neighboursIn} of each of them. For all at once it takes far less than for one after the other. */
export function allNeighbours(keyIds: readonly string[]): ReadonlyMap<string, ReadonlySet<string>> {
  const all = new Map(keyIds.map((keyId) => [keyId, new Set<string>()]));
  const link = (a: string, b: string) => {
    all.get(a)?.add(b);
    all.get(b)?.add(a);
  };
  const count = all.size;
  if (count <= FULL_GRAPH_NODES_MAX) {
    for (const a of all.keys()) for (const b of all.keys()) if (a < b) link(a, b);
    return all;
  }
  for (let ring = 0; ring < ringsFor(count); ring++) {
    const order = [...all.keys()].sort((a, b) => compareOnRing(a, b, ring));
    order.forEach((keyId, place) => link(keyId, order[(place + 1) % count] as string));
  }
  return all;
}

/** Negative, zero or positive like a - b: two key ids as they lie on a ring. */
export type Compare = (a: string, b: string, ring: number) => number;

/** The one before and the one after `self` on each ring. */
export function besideOnRings(
  others: readonly string[],
  { self, rings, compare }: {
    readonly self: string;
    readonly rings: number;
    readonly compare: Compare;
  },
): Set<string> {
  const beside = new Set<string>();
  for (let ring = 0; ring < rings; ring++) {
    let first: string | undefined;
    let last: string | undefined;
    let before: string | undefined;
    let after: string | undefined;
    for (const other of others) {
      if (first === undefined || compare(other, first, ring) < 0) first = other;
      if (last === undefined || compare(other, last, ring) > 0) last = other;
      if (compare(other, self, ring) > 0) {
        if (after === undefined || compare(other, after, ring) < 0) after = other;
      } else if (before === undefined || compare(other, before, ring) > 0) before = other;
    }
    for (const one of [before ?? last, after ?? first]) if (one !== undefined) beside.add(one);
  }
  return beside;
}

/** Key ids, each from the ring's own digit on and the rest of it last. */
export function compareOnRing(a: string, b: string, ring: number): number {
  const begin = ring * RING_DIGITS;
  for (let i = begin; i < begin + a.length; i++) {
    const at = i % a.length;
    const difference = a.charCodeAt(at) - b.charCodeAt(at);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Of 64, for each of at most RINGS_MAX rings: 32 bits. */
const RING_DIGITS = 8;
