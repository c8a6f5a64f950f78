/**
 * How healthy a mesh is, as one daemon sees it and as every node tells of its own links. Pure: what
 * is asked of the mesh, and how it is shown, are other files.
 *
 * A link counts when both ends claim it, when asked now, or else in their adverts. Each end measures its round trip; the smaller one is the
 * link's, since an end that is busy measures its own delay as well.
 */

import * as v from "valibot";
import { isGateway, type MeshView, type NodeView } from "../shared/mesh_view.ts";
import type { KnownNode } from "../shared/mesh_home.ts";
import type { MissingNodes } from "../shared/missing_nodes.ts";
import { compareNames } from "../shared/names.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { allStandingLinks } from "./topology.ts";

/** What `mesh.links` of one node says, as far as it matters here. */
export const OwnLinksSchema = v.array(v.object({
  keyId: v.string(),
  /** Unix ms. */
  since: v.number(),
  roundTripMs: v.optional(v.number()),
}));
export type OwnLinks = v.InferOutput<typeof OwnLinksSchema>;

export interface StatusInput {
  readonly view: MeshView;
  /** By name of the node: what it says of its links. */
  readonly links: ReadonlyMap<string, OwnLinks>;
  /** By name: why a node that should be up did not answer. */
  readonly silent: ReadonlyMap<string, string>;
  /** By name: what a node has to say of its certificate. @default nothing */
  readonly certificates?: ReadonlyMap<string, readonly string[]>;
  /** By name: why a node that the mesh does not have can never link with it. @default nothing */
  readonly shutOut?: ReadonlyMap<string, string>;
  /** Nodes that should be there, and of which the daemon that was asked never heard. @default none */
  readonly missing?: MissingNodes;
  /** Round trips above this are slow; of links between segments, above the second one. */
  readonly slowMs: number;
  readonly slowBetweenSegmentsMs: number;
}

/** One link between two nodes that are up. `from` is the smaller name. */
export interface StatusLink {
  readonly from: string;
  readonly to: string;
  /** Unix ms; null where neither end told. */
  readonly since: number | null;
  /** The smaller one of those that the ends measured; null before the first measurement. */
  readonly roundTripMs: number | null;
  /** As measured by `from` and by `to`. */
  readonly measuredMs: readonly [number | null, number | null];
}

export interface StatusNode {
  readonly view: NodeView;
  readonly isGateway: boolean;
  /** Why it did not answer; undefined when it did, or is not up. */
  readonly silence: string | undefined;
  /** Links that both ends claim, to nodes that are up. */
  readonly links: number;
  /** Links that it should have to nodes that are up. */
  readonly wanted: number;
  /** Of its links, in ms. */
  readonly roundTripsMs: readonly number[];
}

/** Something that is not as it should be. Sets of nodes are nodesets. */
export type Problem =
  | { readonly kind: "lost"; readonly nodes: string; readonly lostAt: string | null }
  /** Not heard of since `via` started (in Unix ms). */
  | {
    readonly kind: "missing";
    readonly nodes: string;
    readonly via: string;
    readonly since: number | null;
  }
  | { readonly kind: "silent"; readonly nodes: string; readonly why: string }
  | { readonly kind: "no-link"; readonly node: string; readonly to: string }
  | { readonly kind: "one-sided"; readonly node: string; readonly to: string }
  | {
    readonly kind: "slow";
    readonly node: string;
    readonly to: string;
    readonly roundTripMs: number;
    readonly limitMs: number;
  }
  | { readonly kind: "gateways"; readonly segment: string; readonly left: readonly string[] }
  | { readonly kind: "certificate"; readonly node: string; readonly text: string }
  | { readonly kind: "protocol"; readonly node: string; readonly text: string }
  | { readonly kind: "name"; readonly name: string; readonly keyIds: readonly string[] }
  | { readonly kind: "versions"; readonly versions: readonly (readonly [string, string])[] };

export interface MeshStatus {
  /** Sorted by segment, gateways first, then by name. */
  readonly nodes: readonly StatusNode[];
  readonly links: readonly StatusLink[];
  /** As the home knows them; sorted by name. */
  readonly missing: readonly KnownNode[];
  /** Empty: the mesh is healthy. */
  readonly problems: readonly Problem[];
}

/** What all nodes together say. */
export function meshStatus(input: StatusInput): MeshStatus {
  const { view, silent } = input;
  const up = new Map(
    newest(view.nodes.filter(({ state }) => state === "up"), input.links)
      .map((node) => [node.keyId, node]),
  );
  const { links, oneSided } = linksOf(up, input.links);
  const lacking = missingLinks(up);
  const linksBy = new Map<string, StatusLink[]>(view.nodes.map(({ name }) => [name, []]));
  for (const link of links) {
    linksBy.get(link.from)?.push(link);
    linksBy.get(link.to)?.push(link);
  }
  const missingBy = Map.groupBy(lacking.flat(), (keyId) => keyId);
  const nodes = view.nodes.map((node): StatusNode => {
    const own = linksBy.get(node.name) ?? [];
    const isUp = up.has(node.keyId);
    const lacks = missingBy.get(node.keyId)?.length ?? 0;
    return {
      view: node,
      isGateway: isGateway(node),
      silence: isUp ? silent.get(node.name) : undefined,
      links: isUp ? own.length : 0,
      wanted: isUp ? own.length + lacks : 0,
      roundTripsMs: isUp ? own.flatMap(({ roundTripMs }) => roundTripMs ?? []) : [],
    };
  }).sort(bySegment);
  const missing = input.missing?.nodes ?? [];
  const problems = [
    ...lostNodes(view.nodes),
    ...missingNodes(input),
    ...silentNodes(nodes),
    ...gatewaysLeft(view.nodes),
    ...withoutLinks(lacking, { up, oneSided }),
    ...oneSided.map(([a, b]): Problem => ({ kind: "one-sided", node: a.name, to: b.name })),
    ...slowLinks(links, up, input),
    ...sharedNames([...up.values()]),
    ...[...input.certificates ?? []].flatMap(([node, texts]) =>
      texts.map((text): Problem => ({ kind: "certificate", node, text }))
    ),
    ...[...input.shutOut ?? []].map(([node, text]): Problem => ({ kind: "protocol", node, text })),
    ...mixedVersions([...up.values()]),
  ];
  return { nodes, links, missing, problems };
}

/** With the links of which they tell us now: adverts of new ones are in no hurry. */
function newest(
  nodes: readonly NodeView[],
  told: ReadonlyMap<string, OwnLinks>,
): readonly NodeView[] {
  const named = Map.groupBy(nodes, ({ name }) => name);
  return nodes.map((node) => {
    // Of two nodes with one name nobody knows which has answered.
    const own = named.get(node.name)?.length === 1 ? told.get(node.name) : undefined;
    return own === undefined ? node : { ...node, links: own.map(({ keyId }) => keyId) };
  });
}

type Up = ReadonlyMap<string, NodeView>;
/** Two nodes, the claiming one first. */
type Claim = readonly [NodeView, NodeView];

function linksOf(
  up: Up,
  told: ReadonlyMap<string, OwnLinks>,
): { links: StatusLink[]; oneSided: Claim[] } {
  const links: StatusLink[] = [];
  const oneSided: Claim[] = [];
  for (const node of up.values()) {
    for (const keyId of node.links) {
      const other = up.get(keyId);
      if (other === undefined) continue;
      if (!other.links.includes(node.keyId)) oneSided.push([node, other]);
      else if (compareNames(node.name, other.name) < 0) links.push(linkOf(node, other, told));
    }
  }
  return { links: links.sort(byNames), oneSided };
}

function linkOf(a: NodeView, b: NodeView, told: ReadonlyMap<string, OwnLinks>): StatusLink {
  const ends = [
    told.get(a.name)?.find(({ keyId }) => keyId === b.keyId),
    told.get(b.name)?.find(({ keyId }) => keyId === a.keyId),
  ] as const;
  const [first, second] = ends.map((end) => end?.roundTripMs ?? null) as [
    number | null,
    number | null,
  ];
  const measured = [first, second].filter((ms) => ms !== null);
  const since = ends.flatMap((end) => end?.since ?? []);
  return {
    from: a.name,
    to: b.name,
    since: since.length === 0 ? null : Math.max(...since),
    roundTripMs: measured.length === 0 ? null : Math.min(...measured),
    measuredMs: [first, second],
  };
}

/** Pairs of key ids that should be linked, as either end computes it, and are not. */
function missingLinks(up: Up): (readonly [string, string])[] {
  const missing = new Map<string, readonly [string, string]>();
  for (const [keyId, wanted] of allStandingLinks([...up.values()])) {
    const node = up.get(keyId) as NodeView;
    for (const to of wanted) {
      const other = up.get(to) as NodeView;
      if (node.links.includes(to) && other.links.includes(keyId)) continue;
      missing.set(pairKey(keyId, to), [keyId, to]);
    }
  }
  return [...missing.values()];
}

/** Told by as few nodes as possible: one that has lost all its links is named once. */
function withoutLinks(
  missing: readonly (readonly [string, string])[],
  { up, oneSided }: { readonly up: Up; readonly oneSided: readonly Claim[] },
): Problem[] {
  const half = new Set(oneSided.map(([a, b]) => pairKey(a.keyId, b.keyId)));
  const left = missing.filter(([a, b]) => !half.has(pairKey(a, b)));
  const nameOf = (keyId: string) => (up.get(keyId) as NodeView).name;
  // By name, so that of several which lack as much the first one is told.
  const lacks = new Map<string, Set<string>>(
    [...new Set(left.flat())].sort((a, b) => compareNames(nameOf(a), nameOf(b)))
      .map((keyId) => [keyId, new Set()]),
  );
  for (const [a, b] of left) {
    lacks.get(a)?.add(b);
    lacks.get(b)?.add(a);
  }
  const problems: Problem[] = [];
  for (;;) {
    let worst: string | undefined;
    let most = 0;
    for (const [keyId, others] of lacks) {
      if (others.size > most) [worst, most] = [keyId, others.size];
    }
    if (worst === undefined) return problems;
    const others = lacks.get(worst) as Set<string>;
    problems.push({
      kind: "no-link",
      node: nameOf(worst),
      to: foldNodeset([...others].map(nameOf)),
    });
    lacks.delete(worst);
    for (const other of others) lacks.get(other)?.delete(worst);
  }
}

function pairKey(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

function lostNodes(nodes: readonly NodeView[]): Problem[] {
  const lost = grouped(
    nodes.filter(({ state }) => state === "down"),
    ({ lostAt }) => lostAt ?? "",
  );
  return lost.map(([lostAt, names]) => ({ kind: "lost", nodes: names, lostAt: lostAt || null }));
}

/** One that says why it cannot be in is no riddle. */
function missingNodes({ missing, shutOut }: StatusInput): Problem[] {
  if (missing === undefined) return [];
  const names = missing.nodes.map(({ name }) => name).filter((name) => !shutOut?.has(name));
  if (names.length === 0) return [];
  const { via, since = null } = missing;
  return [{ kind: "missing", nodes: foldNodeset(names), via, since }];
}

function silentNodes(nodes: readonly StatusNode[]): Problem[] {
  const silent = nodes.filter(({ silence }) => silence !== undefined);
  return grouped(
    silent.map(({ view, silence }) => ({ name: view.name, silence })),
    ({ silence }) => silence as string,
  ).map(([why, names]) => ({ kind: "silent", nodes: names, why }));
}

/** Of segments that have lost a gateway, and have one left or none; one segment alone needs none. */
function gatewaysLeft(nodes: readonly NodeView[]): Problem[] {
  const present = nodes.filter(({ state }) => state !== "left");
  const segments = new Set(present.map(({ segment }) => segment));
  if (segments.size < 2) return [];
  return [...segments].sort().flatMap((segment): Problem[] => {
    const gateways = present.filter((node) => node.segment === segment && isGateway(node));
    const left = gateways.filter(({ state }) => state === "up").map(({ name }) => name);
    const isThin = left.length === 0 || left.length === 1 && gateways.length > 1;
    return isThin ? [{ kind: "gateways", segment, left }] : [];
  });
}

function slowLinks(links: readonly StatusLink[], up: Up, limits: StatusInput): Problem[] {
  const segmentOf = new Map([...up.values()].map(({ name, segment }) => [name, segment]));
  return links.flatMap(({ from, to, roundTripMs }): Problem[] => {
    const isNear = segmentOf.get(from) === segmentOf.get(to);
    const limitMs = isNear ? limits.slowMs : limits.slowBetweenSegmentsMs;
    if (roundTripMs === null || roundTripMs <= limitMs) return [];
    return [{ kind: "slow", node: from, to, roundTripMs, limitMs }];
  });
}

function mixedVersions(up: readonly NodeView[]): Problem[] {
  const versions = grouped(up, ({ version }) => version);
  return versions.length < 2 ? [] : [{ kind: "versions", versions }];
}

/** Two keys that live under one name: commands mean either of them. */
function sharedNames(up: readonly NodeView[]): Problem[] {
  return [...Map.groupBy(up, ({ name }) => name)].flatMap(([name, nodes]): Problem[] =>
    nodes.length < 2 ? [] : [{ kind: "name", name, keyIds: nodes.map(({ keyId }) => keyId).sort() }]
  );
}

/** Names as nodesets, by what they have in common. */
function grouped<N extends { readonly name: string }>(
  nodes: readonly N[],
  keyOf: (node: N) => string,
): (readonly [key: string, nodes: string])[] {
  return [...Map.groupBy(nodes, keyOf)]
    .map(([key, members]) => [key, foldNodeset(members.map(({ name }) => name))] as const);
}

function bySegment(a: StatusNode, b: StatusNode): number {
  return compareNames(a.view.segment, b.view.segment) ||
    Number(b.isGateway) - Number(a.isGateway) || compareNames(a.view.name, b.view.name);
}

function byNames(a: StatusLink, b: StatusLink): number {
  return compareNames(a.from, b.from) || compareNames(a.to, b.to);
}
