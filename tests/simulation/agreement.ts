/**
 * Whether nodes agree on the mesh: each sees all of them up and nobody else, all see the same states
 * of those that are not up, every link is claimed by both of its ends, and every link that the shape
 * of the graph asks for stands.
 */

import { standingLinks } from "../../modules/mesh/topology.ts";
import type { NodeView } from "../../modules/shared/mesh_view.ts";
import type { Life, SimulatedNode } from "./simulated_node.ts";

/** Looks again and again; remembers whose view was wrong, which will be so for a while. */
export class Agreement {
  #first: SimulatedNode | undefined;

  /** The first thing that the nodes do not agree on, or undefined; without links only who is there. */
  missing(
    nodes: readonly SimulatedNode[],
    { links = true }: { readonly links?: boolean } = {},
  ): string | undefined {
    const first = this.#first;
    const order = first !== undefined && nodes.includes(first) ? [first, ...nodes] : nodes;
    const lives = new Map<string, Life>();
    for (const { keyId, running } of nodes) if (running !== undefined) lives.set(keyId, running);
    let gone: string | undefined;
    for (const node of order) {
      const view = viewOf(node, { lives, links });
      const wrong = typeof view === "string"
        ? view
        : gone !== undefined && gone !== view.gone
        ? `"${node.name}" thinks that gone are [${view.gone}], others [${gone}]`
        : undefined;
      if (wrong !== undefined) {
        this.#first = node;
        return wrong;
      }
      gone = (view as { gone: string }).gone;
    }
    return undefined;
  }
}

/** Whom the node takes for gone, or what is wrong with its view. */
function viewOf(
  node: SimulatedNode,
  { lives, links }: { readonly lives: ReadonlyMap<string, Life>; readonly links: boolean },
): { gone: string } | string {
  const { name, keyId, running } = node;
  const picture = running?.picture;
  if (picture === undefined) return `"${name}" has no view yet`;
  const up = new Map<string, NodeView>();
  const gone: string[] = [];
  for (const other of picture.nodes) {
    if (other.state === "up") up.set(other.keyId, other);
    else gone.push(`${other.name} ${other.keyId.slice(0, 8)} ${other.state}`);
  }
  for (const other of lives.keys()) {
    if (up.has(other)) continue;
    const state = picture.byKey(other)?.state ?? "unknown";
    const known = lives.get(other)?.self.identity.name;
    return `"${name}" thinks that "${known}" is ${state}`;
  }
  if (!up.has(keyId)) return `"${name}" does not know itself`;
  for (const other of up.values()) {
    const life = lives.get(other.keyId);
    const wrong = wrongLife(other, life) ?? (links ? wrongLinks(other, up) : undefined);
    if (wrong !== undefined) return `"${name}" thinks that ${wrong}`;
  }
  for (const other of links ? lacking(up.get(keyId) as NodeView, up) : []) {
    return `"${name}" has no link to "${up.get(other)?.name}"`;
  }
  return { gone: gone.sort().join(", ") };
}

/** What is wrong about a node that is shown as up. */
function wrongLife(node: NodeView, life: Life | undefined): string | undefined {
  if (life === undefined) return `"${node.name}" (${node.keyId.slice(0, 8)}) is up`;
  if (life.instance !== node.instance) return `"${node.name}" lives an earlier life`;
  return undefined;
}

function wrongLinks(node: NodeView, up: ReadonlyMap<string, NodeView>): string | undefined {
  for (const to of node.links) {
    const other = up.get(to);
    if (other === undefined) {
      return `"${node.name}" is linked with ${to.slice(0, 8)}, which is gone`;
    }
    if (!other.links.includes(node.keyId)) {
      return `"${other.name}" does not claim its link with "${node.name}"`;
    }
  }
  return undefined;
}

function lacking(node: NodeView, up: ReadonlyMap<string, NodeView>): ReadonlySet<string> {
  return standingLinks([...up.values()], node).difference(new Set(node.links));
}
