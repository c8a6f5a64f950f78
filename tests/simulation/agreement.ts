/**
 * Whether nodes agree on the mesh: each sees all of them up and nobody else, all see the same
 * states of those that are not up, and each has the links that it should have.
 */

import { standingLinks } from "../../modules/mesh/topology.ts";
import type { NodeView } from "../../modules/shared/mesh_view.ts";
import type { SimulatedNode } from "./simulated_node.ts";

/** The first thing that they do not agree on, or undefined. */
export function disagreement(nodes: readonly SimulatedNode[]): string | undefined {
  const instances = new Map<string, string>();
  for (const { keyId, running } of nodes) {
    if (running !== undefined) instances.set(keyId, running.self.instance.toHex());
  }
  let gone: string | undefined;
  for (const { name, keyId, running } of nodes) {
    const picture = running?.picture;
    if (picture === undefined) return `"${name}" has no view yet`;
    const up = new Set<string>();
    const others: string[] = [];
    for (const node of picture.nodes) {
      if (node.state === "up") up.add(node.keyId);
      else others.push(`${node.name} ${node.keyId.slice(0, 8)} ${node.state}`);
      const wrong = node.state === "up"
        ? wrongView(node, picture.nodes.filter(isUp), instances)
        : undefined;
      if (wrong !== undefined) return `"${name}" thinks that ${wrong}`;
    }
    for (const other of nodes) {
      if (!up.has(other.keyId)) {
        const state = picture.byKey(other.keyId)?.state ?? "unknown";
        return `"${name}" thinks that "${other.name}" is ${state}`;
      }
    }
    if (!up.has(keyId)) return `"${name}" does not know itself`;
    const text = others.sort().join(", ");
    gone ??= text;
    if (text !== gone) return `"${name}" thinks that gone are [${text}], others [${gone}]`;
  }
  return undefined;
}

/** What is wrong about a node that is shown as up. */
function wrongView(
  node: NodeView,
  up: readonly NodeView[],
  instances: ReadonlyMap<string, string>,
): string | undefined {
  const instance = instances.get(node.keyId);
  if (instance === undefined) return `"${node.name}" (${node.keyId.slice(0, 8)}) is up`;
  if (instance !== node.instance) return `"${node.name}" lives an earlier life`;
  const lacks = [...standingLinks(up, node)].filter((to) => !node.links.includes(to)).length;
  if (lacks > 0) return `"${node.name}" lacks ${lacks} links`;
  if (!node.links.every((to) => instances.has(to))) return `"${node.name}" has links with nobody`;
  return undefined;
}

function isUp({ state }: NodeView): boolean {
  return state === "up";
}
