/**
 * Where the way to a lost node ends: the last node before it that can still be reached. It follows
 * from what lost nodes said last of their links. One whose neighbours live was lost beside them; one
 * deep in a segment that is cut off was lost where its segment was, at the gateway on this side.
 * Whoever starts later, and never saw the node, says the same. Pure.
 */

export interface LossOptions {
  /** What each node that cannot be reached said last of its links. */
  readonly claims: ReadonlyMap<string, readonly string[]>;
  /** Hops to each node that can be reached. */
  readonly distances: ReadonlyMap<string, number>;
}

/** For each lost node the one that is fewest links from it, and of those the one nearest to us. */
export function placesOfLoss({ claims, distances }: LossOptions): Map<string, string> {
  const places = new Map<string, string>();
  const claimants = new Map<string, string[]>();
  let ring = new Map<string, string>();
  for (const [keyId, links] of claims) {
    for (const to of links) {
      if (distances.has(to)) offer(ring, keyId, to);
      else {
        const list = claimants.get(to);
        if (list === undefined) claimants.set(to, [keyId]);
        else list.push(keyId);
      }
    }
  }
  while (ring.size > 0) {
    const following = new Map<string, string>();
    for (const [keyId, place] of ring) places.set(keyId, place);
    for (const [keyId, place] of ring) {
      for (const claimant of claimants.get(keyId) ?? []) {
        if (!places.has(claimant)) offer(following, claimant, place);
      }
    }
    ring = following;
  }
  return places;

  function offer(candidates: Map<string, string>, keyId: string, place: string): void {
    const other = candidates.get(keyId);
    if (other === undefined || isNearer(place, other)) candidates.set(keyId, place);
  }

  function isNearer(a: string, b: string): boolean {
    const difference = (distances.get(a) ?? Infinity) - (distances.get(b) ?? Infinity);
    return difference < 0 || (difference === 0 && a < b);
  }
}
