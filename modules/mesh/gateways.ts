/**
 * Which gateways link with which: a few of each segment for each other segment, so that a gateway or
 * two may die. Pure, and the same for all who see the same gateways. Segments are linked all with
 * all, or beyond FULL_GRAPH_NODES_MAX of them as nodes are within one.
 */

import { besideOnRings, ringsFor } from "./graph.ts";
import { FULL_GRAPH_NODES_MAX, GATEWAYS_PER_PAIR_MAX } from "./limits.ts";

export interface Gateway {
  readonly keyId: string;
  readonly segment: string;
}

/**
 * The gateways of other segments with which `self`, a gateway, should be linked. `kept`: those with
 * which it may stay linked, one gateway more of each segment: who comes moves others by one place.
 */
export function gatewayNeighbours(
  gateways: Iterable<Gateway>,
  self: Gateway,
): { readonly wanted: Set<string>; readonly kept: Set<string> } {
  const segments = new Map<string, string[]>([[self.segment, [self.keyId]]]);
  for (const { keyId, segment } of gateways) {
    if (keyId === self.keyId) continue;
    const present = segments.get(segment);
    if (present === undefined) segments.set(segment, [keyId]);
    else present.push(keyId);
  }
  const own = segments.get(self.segment) as string[];
  segments.delete(self.segment);
  const wanted = new Set<string>();
  const kept = new Set<string>();
  const near = segmentNeighbours([...segments.keys()], self.segment);
  for (const [segment, theirs] of segments) {
    if (!near.has(segment)) continue;
    const ours = chosen(own, segment);
    const others = chosen(theirs, self.segment);
    // Both ends have to see the same one as the first of both.
    const first = ours.length > others.length ||
      (ours.length === others.length && self.segment < segment);
    for (const [a, b] of first ? meetings(ours, others) : meetings(others, ours)) {
      if (a === self.keyId) wanted.add(b);
      else if (b === self.keyId) wanted.add(a);
    }
    if (ours.includes(self.keyId)) { for (const keyId of others) kept.add(keyId); }
  }
  return { wanted, kept };
}

/** The first ones in an order that differs for each other segment, and one more in reserve. */
function chosen(gateways: readonly string[], other: string): string[] {
  const order = new Map(gateways.map((keyId) => [keyId, hashOf(`${other} ${keyId}`)]));
  return gateways
    .toSorted((a, b) => (order.get(a) as number) - (order.get(b) as number) || (a < b ? -1 : 1))
    .slice(0, GATEWAYS_PER_PAIR_MAX + 1);
}

/** Each of the longer list with two of the shorter one, or with the one that there is. */
function meetings(longer: readonly string[], shorter: readonly string[]): [string, string][] {
  const others = shorter.slice(0, GATEWAYS_PER_PAIR_MAX);
  return longer.slice(0, GATEWAYS_PER_PAIR_MAX).flatMap((one, index) =>
    [index, index + 1].map((at): [string, string] => [one, others[at % others.length] as string])
  );
}

function segmentNeighbours(others: readonly string[], self: string): ReadonlySet<string> {
  const count = others.length + 1;
  if (count <= FULL_GRAPH_NODES_MAX) return new Set(others);
  const compare = (a: string, b: string, ring: number) =>
    hashOf(`${ring} ${a}`) - hashOf(`${ring} ${b}`) || (a < b ? -1 : a > b ? 1 : 0);
  return besideOnRings(others, { self, rings: ringsFor(count), compare });
}

/** FNV-1a with a final mix, 32 bits: spreads names; nothing depends on its strength. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}
