/**
 * Which links there should be: a pure function of the node table, and the only place that knows the
 * shape of the graph. For now it is a full graph. Nodes that are down are wanted too, or two halves
 * of a mesh would never find each other again; so are seeds, whatever became of them.
 */

import type { NodeView } from "../shared/mesh_view.ts";

/** A node that is known before anybody spoke of it: from the mesh file or the boot. */
export interface Seed {
  readonly name: string;
  readonly keyId: string;
  /** Best first. */
  readonly endpoints: readonly string[];
}

export interface WantedLink extends Seed {
  /** Lower is dialled first: 0 up, 1 a seed that is not up, 2 down. */
  readonly rank: 0 | 1 | 2;
}

/** Links that `self` should have, by key id. */
export function wantedLinks(
  nodes: readonly Pick<NodeView, "name" | "keyId" | "endpoints" | "state">[],
  options: { readonly self: string; readonly seeds: readonly Seed[] },
): Map<string, WantedLink> {
  const wanted = new Map<string, WantedLink>();
  for (const { name, keyId, endpoints, state } of nodes) {
    if (state === "left") continue;
    wanted.set(keyId, { name, keyId, endpoints, rank: state === "up" ? 0 : 2 });
  }
  for (const seed of options.seeds) {
    const known = wanted.get(seed.keyId);
    const endpoints = [...new Set([...known?.endpoints ?? [], ...seed.endpoints])];
    wanted.set(seed.keyId, { ...seed, endpoints, rank: known?.rank === 0 ? 0 : 1 });
  }
  wanted.delete(options.self);
  return wanted;
}
