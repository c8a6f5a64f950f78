/**
 * The tree of one operation, one node's share of it: which neighbour carries on which targets. The
 * tree is the set of shortest paths, so what is passed on comes ever closer; a node with more
 * neighbours than it should talk to gives the head of each chunk of them the chunk.
 */

import type { MeshPicture, NodeView } from "../shared/mesh_view.ts";
import { shortestWays } from "../shared/mesh_view.ts";
import { FANOUT_MAX, HOPS_MAX } from "./limits.ts";
import type { Detail } from "./partial.ts";

/** Two neighbours between which nothing got through, by name. */
export type Edge = readonly [from: string, to: string];

export interface Part {
  /** Key id of the neighbour. */
  readonly next: string;
  readonly indices: readonly number[];
}

export interface Split {
  /** We are this target ourselves. */
  readonly own: number | undefined;
  readonly parts: readonly Part[];
  /** Targets without a way. */
  readonly lost: readonly { readonly indices: readonly number[]; readonly detail: Detail }[];
}

export interface SplitOptions {
  readonly picture: MeshPicture;
  readonly selfName: string;
  /** Names of the nodes that the request has passed, the origin first. */
  readonly via: readonly string[];
  /** Gone around where there is another way. */
  readonly avoid: readonly Edge[];
  /** Whether a link to that neighbour stands, by key id. */
  readonly linked: (keyId: string) => boolean;
  /** @default FANOUT_MAX */
  readonly fanoutMax?: number;
}

/** Every target comes back exactly once. */
export function split(targets: ReadonlyMap<number, string>, options: SplitOptions): Split {
  const { picture, selfName, via } = options;
  const broken = brokenEdges(options);
  const around = waysAround(picture, broken);
  // What was broken a moment ago is better than nothing: a link that flaps may be the only one.
  let anyhow: (keyId: string) => string | undefined;
  const wayTo = (keyId: string): string | undefined => {
    const next = around(keyId);
    if (next !== undefined || options.avoid.length === 0) return next;
    anyhow ??= waysAround(picture, brokenEdges({ ...options, avoid: [] }));
    return anyhow(keyId);
  };
  const passed = new Set(via);
  const parts = new Map<string, number[]>();
  const lost = new Map<string, { indices: number[]; detail: Detail }>();
  let own: number | undefined;
  for (const [index, name] of targets) {
    if (name === selfName) {
      own = index;
      continue;
    }
    const node = picture.byName(name);
    const next = node?.state === "up" ? wayTo(node.keyId) : undefined;
    const back = next !== undefined && passed.has(picture.byKey(next)?.name ?? "");
    if (next !== undefined && !back && via.length < HOPS_MAX) {
      const part = parts.get(next);
      if (part === undefined) parts.set(next, [index]);
      else part.push(index);
      continue;
    }
    const detail = goneLink(node, options) ?? lossOf(node, selfName, back);
    const key = `${detail.reason} ${detail.since} ${detail.at}`;
    const same = lost.get(key);
    if (same === undefined) lost.set(key, { indices: [index], detail });
    else same.indices.push(index);
  }
  const linked = (a: string, b: string) => isEdge(picture, a, b) && !isBroken(broken, a, b);
  const all = [...parts].map(([next, indices]): Part => ({ next, indices }));
  return {
    own,
    parts: chunks(all, options.fanoutMax ?? FANOUT_MAX, linked),
    lost: [...lost.values()],
  };
}

/**
 * The picture has a way that begins with a link which is not there: an advert is late, or a lie. The
 * origin, who sees its own links, is told to go around it.
 */
function goneLink(
  node: NodeView | undefined,
  { picture, selfName, via, linked }: SplitOptions,
): Detail | undefined {
  if (node?.state !== "up" || via.length === 0) return undefined;
  const next = picture.wayTo(node.keyId)?.next;
  if (next === undefined || linked(next)) return undefined;
  const at = picture.byKey(next)?.name ?? next;
  const reason = `Link from "${selfName}" to "${at}" is gone`;
  return { reason, ran: "never", by: selfName, at, lost: true };
}

function lossOf(node: NodeView | undefined, selfName: string, back: boolean): Detail {
  if (node === undefined) return { reason: `Not known to "${selfName}"`, ran: "never", lost: true };
  if (node.state !== "up") {
    return {
      reason: node.state === "left" ? "Has left the mesh" : "Down",
      ran: "never",
      since: node.since,
      ...(node.lostAt === undefined ? {} : { at: node.lostAt }),
      lost: true,
    };
  }
  const reason = back ? "Nodes do not agree on the way to it" : "No way to it";
  return { reason, ran: "never", at: selfName, lost: true };
}

/**
 * At most `max` parts where the graph allows it. A head takes over only neighbours that it is linked
 * to: it is one hop away from them as we are, so its way to their targets never leads back to us.
 */
function chunks(
  parts: readonly Part[],
  max: number,
  linked: (a: string, b: string) => boolean,
): readonly Part[] {
  if (parts.length <= max) return parts;
  const size = Math.ceil(parts.length / max);
  const result: Part[] = [];
  let rest = parts;
  while (rest.length > 0) {
    const [head, ...others] = rest as [Part, ...Part[]];
    const indices = [...head.indices];
    const left: Part[] = [];
    let taken = 1;
    for (const part of others) {
      if (taken < size && linked(head.next, part.next)) {
        indices.push(...part.indices);
        taken++;
      } else left.push(part);
    }
    result.push({ next: head.next, indices });
    rest = left;
  }
  return result;
}

function isEdge(picture: MeshPicture, a: string, b: string): boolean {
  return (picture.byKey(a)?.links.includes(b) ?? false) &&
    (picture.byKey(b)?.links.includes(a) ?? false);
}

/** Key ids of the neighbours that a node shall not be asked to reach, both ways. */
type Broken = ReadonlyMap<string, ReadonlySet<string>>;

function brokenEdges({ picture, avoid, linked }: SplitOptions): Broken {
  const broken = new Map<string, Set<string>>();
  const cut = (a: string, b: string): void => {
    for (const [from, to] of [[a, b], [b, a]] as const) {
      const ends = broken.get(from);
      if (ends === undefined) broken.set(from, new Set([to]));
      else ends.add(to);
    }
  };
  for (const [from, to] of avoid) {
    const a = picture.byName(from);
    const b = picture.byName(to);
    if (a !== undefined && b !== undefined) cut(a.keyId, b.keyId);
  }
  // The picture may still believe in a link that we know to be gone.
  for (const keyId of picture.byKey(picture.self)?.links ?? []) {
    if (!linked(keyId)) cut(picture.self, keyId);
  }
  return broken;
}

function isBroken(broken: Broken, a: string, b: string): boolean {
  return broken.get(a)?.has(b) ?? false;
}

/** Gives the neighbour on the shortest way to a key id, without the broken edges. */
function waysAround(picture: MeshPicture, broken: Broken): (keyId: string) => string | undefined {
  if (broken.size === 0) return (keyId) => picture.wayTo(keyId)?.next;
  const nodes = new Map(
    picture.nodes.map(({ keyId, links, state }) => {
      const kept = broken.has(keyId) ? links.filter((to) => !isBroken(broken, keyId, to)) : links;
      return [keyId, { keyId, state, links: kept }] as const;
    }),
  );
  const ways = shortestWays(nodes, picture.self);
  return (keyId) => ways.get(keyId)?.next;
}
