/**
 * Who can be reached: breadth first from one node over edges that both ends claim. A whole rack that
 * lost power leaves adverts that claim each other for ever, and so does the far side of a
 * partition; neither is reached from here, and that is what "down" means. Pure.
 */

/** For each node that can be reached, the node before it on a shortest way; the start's is itself. */
export function reach(
  claims: ReadonlyMap<string, ReadonlySet<string>>,
  start: string,
): Map<string, string> {
  const before = new Map([[start, start]]);
  let ring = [start];
  while (ring.length > 0) {
    const following: string[] = [];
    for (const from of ring) {
      for (const to of claims.get(from) ?? []) {
        if (before.has(to) || !claims.get(to)?.has(from)) continue;
        before.set(to, from);
        following.push(to);
      }
    }
    ring = following;
  }
  return before;
}
