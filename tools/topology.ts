/**
 * Prints what the shape of the graph is worth, for meshes of several sizes: `deno task topology`. The
 * nodes are made up; their key ids are hashes, as those of real nodes are.
 */

import { createHash } from "node:crypto";
import { type Member, standingLinks } from "../modules/mesh/topology.ts";
import { GATEWAY_GROUP } from "../modules/shared/mesh_view.ts";
import {
  figuresOf,
  type GraphFigures,
  type Neighbours,
  vertexConnectivity,
} from "./graph_figures.ts";

/** Nodes of meshes that are one segment. */
const SIZES = [16, 64, 256, 1_024, 4_096];
/** Segments, nodes of each, gateways among them. */
const SEGMENTED = [[3, 16, 2], [4, 64, 2], [8, 128, 3], [20, 16, 2], [64, 64, 3]] as const;

/** Nodes of `segments` segments with `size` nodes each, of which the first `gateways` are gateways. */
export function makeNodes(segments: number, size: number, gateways = 0): Member[] {
  const nodes: Member[] = [];
  for (let segment = 0; segment < segments; segment++) {
    for (let index = 0; index < size; index++) {
      const name = `s${segment}-n${index}`;
      nodes.push({
        name,
        keyId: createHash("sha256").update(name).digest("hex"),
        endpoints: [],
        segment: `s${segment}`,
        groups: index < gateways ? [GATEWAY_GROUP] : [],
        state: "up",
      });
    }
  }
  return nodes;
}

/** The links that the nodes would have, by their place in the list. */
export function graphOf(nodes: readonly Member[]): Neighbours {
  const places = new Map(nodes.map(({ keyId }, place) => [keyId, place]));
  return nodes.map((node) =>
    [...standingLinks(nodes, node)].map((keyId) => places.get(keyId) as number)
  );
}

function rowOf(mesh: string, figures: GraphFigures, connectivity: number): string {
  const { nodes, degreeMin, degreeMean, degreeMax, diameter, distanceMean } = figures;
  const degree = `${degreeMin} / ${degreeMean.toFixed(1)} / ${degreeMax}`;
  const cells = [mesh, nodes, degree, diameter, distanceMean.toFixed(2), connectivity];
  return `| ${cells.join(" | ")} |`;
}

function main(): void {
  const headers = [
    "mesh",
    "nodes",
    "links of a node: min / mean / max",
    "diameter",
    "mean distance",
    "nodes that must die to cut it (exact)",
  ];
  print(`| ${headers.join(" | ")} |`);
  print("| --- | --: | --- | --: | --: | --: |");
  for (const size of SIZES) {
    const graph = graphOf(makeNodes(1, size));
    print(rowOf("one segment", figuresOf(graph), vertexConnectivity(graph)));
  }
  for (const [segments, size, gateways] of SEGMENTED) {
    const graph = graphOf(makeNodes(segments, size, gateways));
    const mesh = `${segments} segments of ${size}, ${gateways} gateways each`;
    print(rowOf(mesh, figuresOf(graph), vertexConnectivity(graph)));
  }
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) main();
