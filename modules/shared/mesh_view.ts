/**
 * What the mesh module tells others about the mesh, as plain data (it crosses conduits), and the
 * questions that every module asks of it: who is there, and through which neighbour do I reach X.
 */

import * as v from "valibot";
import { isName, parseEndpoint, UsageError } from "../../core/mod.ts";

// What one node says of all others is shown on terminals and kept in files: it is what it must be.
const Name = v.pipe(v.string(), v.check(isName, "Expected a name"));
const KeyId = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "Expected 64 hex digits"));
const Endpoints = v.array(v.pipe(v.string(), v.check(isTcpEndpoint, "Expected a tcp endpoint")));

/** `left`: said goodbye. `down`: was there, and cannot be reached over edges that both ends claim. */
export const NODE_STATES = ["up", "down", "left"] as const;
export type NodeState = (typeof NODE_STATES)[number];

export const NodeViewSchema = v.object({
  name: Name,
  /** Hex of SHA-256 of its signing key; tables of nodes are keyed by this, never by name. */
  keyId: KeyId,
  groups: v.array(Name),
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
  links: v.array(KeyId),
  /** Where the way to a lost node ended: the name of the last node before it, if known. */
  lostAt: v.optional(Name),
});
export type NodeView = Readonly<v.InferOutput<typeof NodeViewSchema>>;

/** First item of `mesh.watch`, reply of `mesh.nodes`. */
export const MeshViewSchema = v.object({
  /** Our own key id. */
  self: KeyId,
  nodes: v.array(NodeViewSchema),
});
export type MeshView = Readonly<v.InferOutput<typeof MeshViewSchema>>;

/** Later items of `mesh.watch`: nodes that are new or changed, and key ids that are forgotten. */
export const MeshChangeSchema = v.object({
  changed: v.array(NodeViewSchema),
  forgotten: v.array(KeyId),
});
export type MeshChange = Readonly<v.InferOutput<typeof MeshChangeSchema>>;

/** The view kept up to date by the items of `mesh.watch`, with the tables that follow from it. */
export class MeshPicture {
  readonly #nodes = new Map<string, NodeView>();
  readonly #names = new Map<string, NodeView>();
  #self: string;
  #hops: Map<string, { readonly next: string; readonly distance: number }> | undefined;

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
    for (const node of change.changed) this.#nodes.set(node.keyId, node);
    for (const keyId of change.forgotten) this.#nodes.delete(keyId);
    this.#names.clear();
    for (const node of this.#nodes.values()) {
      const other = this.#names.get(node.name);
      // A name may have been taken over by a new key: the living one is meant.
      if (other === undefined || rank(node) > rank(other)) this.#names.set(node.name, node);
    }
    this.#hops = undefined;
  }

  byKey(keyId: string): NodeView | undefined {
    return this.#nodes.get(keyId);
  }

  byName(name: string): NodeView | undefined {
    return this.#names.get(name);
  }

  /** The neighbour on the shortest way to a node, and its distance in hops; undefined: no way. */
  wayTo(keyId: string): { readonly next: string; readonly distance: number } | undefined {
    this.#hops ??= shortestWays(this.#nodes, this.#self);
    return this.#hops.get(keyId);
  }
}

/**
 * Breadth first over edges that both ends claim, from `self`; ties go to the smaller key id of the
 * first hop, so that every node computes the same. Nodes that left or have no way are not in it.
 */
export function shortestWays(
  nodes: ReadonlyMap<string, Pick<NodeView, "keyId" | "links" | "state">>,
  self: string,
): Map<string, { readonly next: string; readonly distance: number }> {
  const ways = new Map<string, { readonly next: string; readonly distance: number }>();
  const claims = new Map<string, Set<string>>();
  for (const node of nodes.values()) {
    if (node.state !== "left") claims.set(node.keyId, new Set(node.links));
  }
  let ring = [self];
  ways.set(self, { next: self, distance: 0 });
  for (let distance = 1; ring.length > 0; distance++) {
    const following: string[] = [];
    for (const from of ring) {
      const via = ways.get(from) as { readonly next: string };
      for (const to of [...claims.get(from) ?? []].sort()) {
        if (ways.has(to) || !claims.get(to)?.has(from)) continue;
        ways.set(to, { next: distance === 1 ? to : via.next, distance });
        following.push(to);
      }
    }
    ring = following;
  }
  ways.delete(self);
  return ways;
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
