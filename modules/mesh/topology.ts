/**
 * Which links this node should have: a pure function of who is there. It has three parts.
 *
 * - Links that stand: the graph over those that are up. Both ends compute it over the same nodes.
 * - Ways back to those that are not: the same graph over up and down together says who dials whom.
 *   It is connected, so two parts of a mesh that was cut find each other, with a few dials a node.
 * - What these miss: when most nodes are gone for good, the graph over all of them may hold no edge
 *   between two parts that live. So every lost node is dialled by somebody now and then
 *   (Prober). Seeds are dialled for ever, whatever became of them.
 *
 * A node dials within its segment; a gateway dials gateways of other segments besides.
 */

import { isGateway, type NodeView } from "../shared/mesh_view.ts";
import { type Gateway, gatewayNeighbours } from "./gateways.ts";
import { allNeighbours, besideOnRings, compareOnRing, neighboursIn } from "./graph.ts";
import { FULL_GRAPH_NODES_MAX, GRAPH_SLACK, SEED_RINGS } from "./limits.ts";

/** A node that is known before anybody spoke of it: from the mesh file or the boot. */
export interface Seed {
  readonly name: string;
  readonly keyId: string;
  /** Best first. */
  readonly endpoints: readonly string[];
  /** @default unknown until it speaks for itself; taken for our own */
  readonly segment?: string;
}

export interface WantedLink extends Pick<Seed, "name" | "keyId" | "endpoints"> {
  /** Lower is dialled first: 0 up, 1 a seed that is not up, 2 down. */
  readonly rank: 0 | 1 | 2;
  /** Others come first, and may bring news of it. */
  readonly later?: boolean;
}

/** What has to be known of a node. */
export type Member = Pick<
  NodeView,
  "name" | "keyId" | "endpoints" | "segment" | "groups" | "state"
>;

/** Who computes its links. */
export interface Self extends Gateway {
  /** By its certificate. */
  readonly gateway: boolean;
}

export interface TopologyOptions {
  readonly self: Self;
  readonly seeds: readonly Seed[];
}

export interface Topology {
  /** Links that there should be, by key id. */
  readonly wanted: ReadonlyMap<string, WantedLink>;
  /** Those that are up and with whom a link may stay, by key id; all of `wanted` that are up too. */
  readonly kept: ReadonlySet<string>;
  /** Lost nodes that are not wanted: to be dialled now and then. */
  readonly lost: readonly WantedLink[];
  /** How many are up that could dial these as we do, ourselves included. */
  readonly searchers: number;
}

/** The links that a node should have, by key id, when `up` are all that are up. */
export function standingLinks(
  up: readonly Member[],
  node: Pick<Member, "keyId" | "segment" | "groups">,
): ReadonlySet<string> {
  const self = { keyId: node.keyId, segment: node.segment, gateway: isGateway(node) };
  const others = up.filter(({ keyId }) => keyId !== self.keyId);
  const wanted = neighboursIn(
    others.filter(({ segment }) => segment === self.segment).map(({ keyId }) => keyId),
    self.keyId,
  );
  if (!self.gateway) return wanted;
  return wanted.union(gatewayNeighbours(others.filter(isGateway), self).wanted);
}

/** {@link standingLinks} of each of them. */
export function allStandingLinks(
  up: readonly Pick<Member, "keyId" | "segment" | "groups">[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const links = new Map<string, ReadonlySet<string>>();
  for (const near of Map.groupBy(up, ({ segment }) => segment).values()) {
    for (const [keyId, wanted] of allNeighbours(near.map(({ keyId }) => keyId))) {
      links.set(keyId, wanted);
    }
  }
  const gateways = up.filter(isGateway);
  for (const gateway of gateways) {
    const near = links.get(gateway.keyId) as ReadonlySet<string>;
    links.set(gateway.keyId, near.union(gatewayNeighbours(gateways, gateway).wanted));
  }
  return links;
}

/** What `self` should be linked with, keep, and look for, as it sees the nodes. */
export function topologyOf(nodes: readonly Member[], options: TopologyOptions): Topology {
  const { self } = options;
  const present = nodes.filter(({ keyId, state }) => state !== "left" && keyId !== self.keyId);
  const near = present.filter(({ segment }) => segment === self.segment);
  const gateways = self.gateway ? present.filter((node) => isGateway(node)) : [];
  const up = shapeOf(near.filter(isUp), gateways.filter(isUp), self);
  const all = present.every(isUp) ? up : shapeOf(near, gateways, self);
  const wanted = new Map<string, WantedLink>();
  const lost: WantedLink[] = [];
  let searchers = 1;
  for (const node of present) {
    const { name, keyId, endpoints } = node;
    const ours = node.segment === self.segment;
    if (isUp(node)) {
      if (ours) searchers++;
      if (up.wanted.has(keyId)) wanted.set(keyId, { name, keyId, endpoints, rank: 0 });
    } else if (all.wanted.has(keyId)) wanted.set(keyId, { name, keyId, endpoints, rank: 2 });
    else if (ours || (self.gateway && isGateway(node))) {
      lost.push({ name, keyId, endpoints, rank: 2 });
    }
  }
  addSeeds(wanted, nodes, options);
  return {
    wanted,
    kept: up.kept,
    lost: lost.filter(({ keyId }) => !wanted.has(keyId)),
    searchers,
  };
}

interface Shape {
  readonly wanted: ReadonlySet<string>;
  readonly kept: ReadonlySet<string>;
}

function shapeOf(
  near: readonly Member[],
  gateways: readonly Member[],
  self: Self,
): Shape {
  const keyIds = near.map(({ keyId }) => keyId);
  const wanted = neighboursIn(keyIds, self.keyId);
  const kept = neighboursIn(keyIds, self.keyId, { slack: GRAPH_SLACK });
  if (!self.gateway) return { wanted, kept };
  const far = gatewayNeighbours(gateways, self);
  return { wanted: wanted.union(far.wanted), kept: kept.union(far.kept) };
}

/** Those that are up need no seed; those that never spoke are the first links that there are. */
function addSeeds(
  wanted: Map<string, WantedLink>,
  nodes: readonly Member[],
  { self, seeds }: TopologyOptions,
): void {
  const known = new Map(nodes.map((node) => [node.keyId, node]));
  const dialable = seeds.filter(({ keyId, segment }) => {
    const node = known.get(keyId);
    if (keyId === self.keyId || node?.state === "up") return false;
    const there = node?.segment ?? segment ?? self.segment;
    return there === self.segment || (self.gateway && (node === undefined || isGateway(node)));
  });
  const first = firstOf(dialable.map(({ keyId }) => keyId), self.keyId);
  for (const { name, keyId, endpoints: given } of dialable) {
    const node = known.get(keyId);
    const endpoints = [...new Set([...node?.endpoints ?? [], ...given])];
    // A lost node is found by the graph or by chance as well; a newcomer has nothing but its seeds.
    const later = node === undefined && !first.has(keyId);
    wanted.set(keyId, { name, keyId, endpoints, rank: 1, ...later ? { later } : {} });
  }
}

/** Few of many seeds, and not the same for every newcomer. */
function firstOf(keyIds: readonly string[], self: string): ReadonlySet<string> {
  if (keyIds.length < FULL_GRAPH_NODES_MAX) return new Set(keyIds);
  return besideOnRings(keyIds, { self, rings: SEED_RINGS, compare: compareOnRing });
}

function isUp({ state }: Member): boolean {
  return state === "up";
}
