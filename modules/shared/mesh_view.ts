/**
 * What the mesh module tells others about the mesh, as plain data (it crosses conduits), and the
 * questions that every module asks of it: who is there, and through which neighbour do I reach X.
 */

import * as v from "valibot";
import { isName, parseEndpoint, UsageError } from "../../core/mod.ts";
import {
  areLinked,
  type Detour,
  type Graph,
  neighboursOf,
  pathTo,
  type Way,
  waysFrom,
} from "./ways.ts";

export type { Detour, Edge, Way } from "./ways.ts";

// What one node says of all others is shown on terminals and kept in files: it is what it must be.
const Name = v.pipe(v.string(), v.check(isName, "Expected a name"));
const KeyId = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "Expected 64 hex digits"));
const Endpoints = v.pipe(
  v.array(v.pipe(v.string(), v.check(isTcpEndpoint, "Expected a tcp endpoint"))),
  v.readonly(),
);

/** `left`: said goodbye. `down`: was there, and cannot be reached over edges that both ends claim. */
export const NODE_STATES = ["up", "down", "left"] as const;
export type NodeState = (typeof NODE_STATES)[number];

export const NodeViewSchema = v.object({
  name: Name,
  /** Hex of SHA-256 of its signing key; tables of nodes are keyed by this, never by name. */
  keyId: KeyId,
  groups: v.pipe(v.array(Name), v.readonly()),
  segment: Name,
  /** Best first. */
  endpoints: Endpoints,
  state: v.picklist(NODE_STATES),
  /** Unix ms by our clock: since when it is in this state. */
  since: v.number(),
  /** Of the program that runs there. */
  version: v.pipe(v.string(), v.regex(/^[0-9A-Za-z.+-]{1,32}$/, "Expected a version")),
  instance: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, "Expected 32 hex digits")),
  /** Times this key was started: its first life is 1. */
  incarnation: v.number(),
  /** Key ids of the nodes that it claims links to. */
  links: v.pipe(v.array(KeyId), v.readonly()),
  /** Where the way to a lost node ended: the name of the last node before it, if known. */
  lostAt: v.optional(Name),
});
export type NodeView = Readonly<v.InferOutput<typeof NodeViewSchema>>;

/** First item of `mesh.watch`; reply of `mesh.nodes`, after the nodes that came as its items. */
export const MeshViewSchema = v.object({
  /** Our own key id. */
  self: KeyId,
  nodes: v.array(NodeViewSchema),
});
export type MeshView = Readonly<v.InferOutput<typeof MeshViewSchema>>;

/** Items of `mesh.nodes`, where the reply cannot hold all nodes. */
export const NodesPartSchema = v.object({ nodes: v.array(NodeViewSchema) });
export type NodesPart = Readonly<v.InferOutput<typeof NodesPartSchema>>;

/** Later items of `mesh.watch`: nodes that are new or changed, and key ids that are forgotten. */
export const MeshChangeSchema = v.object({
  changed: v.array(NodeViewSchema),
  forgotten: v.array(KeyId),
});
export type MeshChange = Readonly<v.InferOutput<typeof MeshChangeSchema>>;

/** Reply of `mesh.unheard`. */
export const UnheardSchema = v.object({
  /** Of the names that were asked: those that no node has of which this daemon ever heard. */
  names: v.array(v.string()),
  /** Of which it has heard, and which it shows soon, as up or as down; older daemons do not say. */
  coming: v.optional(v.array(v.string())),
  /** Unix ms: since when it listens. */
  since: v.number(),
});
export type Unheard = Readonly<v.InferOutput<typeof UnheardSchema>>;

/** Why a node is unreachable of which the daemon `via` never heard: one text, or answers do not fold. */
export function unseenReason(via: string): string {
  return `Not seen since "${via}" started`;
}

/** Group in the certificate of a node that links segments; nothing else makes a node a gateway. */
export const GATEWAY_GROUP = "gateway";

/** Whether it may link with nodes of other segments. */
export function isGateway({ groups }: { readonly groups: readonly string[] }): boolean {
  return groups.includes(GATEWAY_GROUP);
}

/** The view kept up to date by the items of `mesh.watch`, with the tables that follow from it. */
export class MeshPicture {
  readonly #nodes = new Map<string, NodeView>();
  readonly #self: string;
  /** Made when asked for, as the others below; dropped at changes that concern them. */
  #names: Map<string, NodeView> | undefined;
  #ways: Map<string, Way> | undefined;
  #gateways: Map<string, NodeView[]> | undefined;

  constructor(view: MeshView) {
    this.#self = view.self;
    this.apply({ changed: view.nodes, forgotten: [] });
  }

  get self(): string {
    return this.#self;
  }

  get nodes(): readonly NodeView[] {
    return [...this.#nodes.values()];
  }

  apply(change: MeshChange): void {
    for (const node of change.changed) {
      const old = this.#nodes.get(node.keyId);
      this.#nodes.set(node.keyId, node);
      this.#rename(node, old);
    }
    for (const keyId of change.forgotten) {
      if (this.#nodes.delete(keyId)) this.#names = undefined;
    }
    this.#ways = undefined;
    this.#gateways = undefined;
  }

  byKey(keyId: string): NodeView | undefined {
    return this.#nodes.get(keyId);
  }

  byName(name: string): NodeView | undefined {
    this.#names ??= namesOf(this.#nodes.values());
    return this.#names.get(name);
  }

  /** The neighbour on the shortest way to a node, and its distance in hops; undefined: no way. */
  wayTo(keyId: string): Way | undefined {
    this.#ways ??= waysFrom(this.#nodes, this.#self);
    return this.#ways.get(keyId);
  }

  /** As {@link MeshPicture.wayTo}, for all nodes that have a way past what is to be avoided. */
  ways(detour: Detour): ReadonlyMap<string, Way> {
    return waysFrom(this.#nodes, this.#self, detour);
  }

  /**
   * A shortest path: key ids from the first hop to the node, which is the last; empty for ourselves.
   * Undefined: there is none past what is to be avoided.
   */
  path(toKeyId: string, detour?: Detour): string[] | undefined {
    return pathTo(this.#nodes, { self: this.#self, to: toKeyId }, detour);
  }

  /** Key ids of those with whom a node is linked, as both of them claim. */
  neighboursOf(keyId: string): string[] {
    return neighboursOf(this.#nodes, keyId);
  }

  /** Whether both claim the link between them. */
  areLinked(a: string, b: string): boolean {
    return areLinked(this.#nodes, a, b);
  }

  /** Those of a segment that are up, by rising key id. */
  gatewaysOf(segment: string): readonly NodeView[] {
    this.#gateways ??= gatewaysOf(this.#nodes.values());
    return this.#gateways.get(segment) ?? [];
  }

  /** Most changes leave every name with its node. */
  #rename(node: NodeView, old: NodeView | undefined): void {
    const holder = this.#names?.get(node.name);
    const same = holder !== undefined && holder.keyId === node.keyId &&
      old !== undefined && rank(old) <= rank(node);
    if (same) this.#names?.set(node.name, node);
    else this.#names = undefined;
  }
}

/**
 * From `self`, over edges that both ends claim; ties go to the smaller key id of the first hop, so
 * that every node computes the same. Nodes that left or have no way are not in it.
 */
export function shortestWays(nodes: Graph, self: string): Map<string, Way> {
  return waysFrom(nodes, self);
}

function namesOf(nodes: Iterable<NodeView>): Map<string, NodeView> {
  const names = new Map<string, NodeView>();
  for (const node of nodes) {
    const other = names.get(node.name);
    // A name may have been taken over by a new key: the living one is meant.
    if (other === undefined || rank(node) > rank(other)) names.set(node.name, node);
  }
  return names;
}

function gatewaysOf(nodes: Iterable<NodeView>): Map<string, NodeView[]> {
  const gateways = new Map<string, NodeView[]>();
  for (const node of nodes) {
    if (node.state !== "up" || !isGateway(node)) continue;
    const segment = gateways.get(node.segment);
    if (segment === undefined) gateways.set(node.segment, [node]);
    else segment.push(node);
  }
  for (const segment of gateways.values()) {
    segment.sort((a, b) => a.keyId < b.keyId ? -1 : 1);
  }
  return gateways;
}

function rank(node: NodeView): number {
  return node.state === "up" ? 2 : node.state === "down" ? 1 : 0;
}

function isTcpEndpoint(text: string): boolean {
  try {
    return parseEndpoint(text).transport === "tcp";
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
}
