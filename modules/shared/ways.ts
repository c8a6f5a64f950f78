/**
 * Shortest ways through the graph that adverts describe: breadth first over edges that both ends
 * claim. Pure; MeshPicture, router and group walk the graph by this and nothing else.
 */

/** What has to be known of a node; `links` are the key ids that it claims links to. */
export interface Claimant {
  readonly keyId: string;
  readonly links: readonly string[];
  /** Nobody goes through a node that left. */
  readonly state: string;
}

export type Graph = ReadonlyMap<string, Claimant>;

/** Two nodes by key id, in any order. */
export type Edge = readonly [string, string];

/** What a way may not use, both directions of an edge alike. */
export interface Detour {
  readonly avoidNodes?: Iterable<string>;
  readonly avoidEdges?: Iterable<Edge>;
}

/** The first hop of a way, and its length in hops. */
export interface Way {
  readonly next: string;
  readonly distance: number;
}

/** Key ids of those that a node is linked with by both claims, in the order of its own claims. */
export function neighboursOf(graph: Graph, keyId: string): string[] {
  const node = graph.get(keyId);
  if (node === undefined || node.state === "left") return [];
  return node.links.filter((to) => claims(graph, to, keyId));
}

/** Whether both claim the link between them. */
export function areLinked(graph: Graph, a: string, b: string): boolean {
  return claims(graph, a, b) && claims(graph, b, a);
}

/**
 * From `self` to every node that has a way; ties go to the smaller key id of the first hop, so that
 * every node computes the same.
 */
export function waysFrom(graph: Graph, self: string, detour: Detour = {}): Map<string, Way> {
  const ways = new Map<string, Way>();
  walk(graph, self, detour, (to, from, distance) => {
    const next = distance === 1 ? to : (ways.get(from) as Way).next;
    ways.set(to, { next, distance });
    return false;
  });
  return ways;
}

/** Key ids from the first hop to `to`, which is the last; empty for `self`; undefined: no way. */
export function pathTo(
  graph: Graph,
  ends: { readonly self: string; readonly to: string },
  detour: Detour = {},
): string[] | undefined {
  const { self, to } = ends;
  if (to === self) return [];
  const before = new Map<string, string>();
  walk(graph, self, detour, (at, from) => {
    before.set(at, from);
    return at === to;
  });
  if (!before.has(to)) return undefined;
  const path: string[] = [];
  for (let at = to; at !== self; at = before.get(at) as string) path.push(at);
  return path.reverse();
}

/** Visits each node once, near ones first, with the node before it; ends when `visit` says so. */
function walk(
  graph: Graph,
  self: string,
  detour: Detour,
  visit: (to: string, from: string, distance: number) => boolean,
): void {
  const closed = closedEdges(detour.avoidEdges);
  const seen = new Set(detour.avoidNodes).add(self);
  let ring = [self];
  for (let distance = 1; ring.length > 0; distance++) {
    const following: string[] = [];
    for (const from of ring) {
      const node = graph.get(from);
      if (node === undefined || node.state === "left") continue;
      for (const to of inOrder(node.links)) {
        if (seen.has(to) || !claims(graph, to, from) || closed?.get(from)?.has(to)) continue;
        seen.add(to);
        if (visit(to, from, distance)) return;
        following.push(to);
      }
    }
    ring = following;
  }
}

function claims(graph: Graph, from: string, to: string): boolean {
  const node = graph.get(from);
  return node !== undefined && node.state !== "left" && node.links.includes(to);
}

/** Adverts name links in rising order, so there is seldom anything to sort. */
function inOrder(links: readonly string[]): readonly string[] {
  const sorted = links.every((link, index) => index === 0 || (links[index - 1] as string) <= link);
  return sorted ? links : links.toSorted();
}

function closedEdges(edges: Iterable<Edge> | undefined): Map<string, Set<string>> | undefined {
  if (edges === undefined) return undefined;
  const closed = new Map<string, Set<string>>();
  for (const [a, b] of edges) {
    for (const [from, to] of [[a, b], [b, a]] as const) {
      const ends = closed.get(from);
      if (ends === undefined) closed.set(from, new Set([to]));
      else ends.add(to);
    }
  }
  return closed;
}
