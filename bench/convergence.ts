/**
 * How soon a mesh that was booted is what it should be: from the start of boot to its end, when the
 * mesh sees all nodes up, and on to the moment at which every link of the graph is claimed by both
 * its ends. Nodes may keep a few links more than the graph needs.
 */

import { standingLinks } from "../modules/mesh/topology.ts";
import { LocalMesh } from "./local_mesh.ts";
import { Programs } from "./programs.ts";
import { number, printTable, type Row } from "./table.ts";

const NODES = [16, 64];
const CONVERGENCE_MS_MAX = 120_000;

export async function convergence(): Promise<void> {
  await using programs = await Programs.make();
  const rows: Row[] = [];
  for (const count of NODES) {
    const start = performance.now();
    await using mesh = await LocalMesh.boot(programs.bundle, count);
    const bootedMs = performance.now() - start;
    const { linkedMs, links, needed } = await watch(mesh, start);
    rows.push([
      `${count} nodes, ${programs.bundle.form}`,
      number(bootedMs / 1_000, 1),
      number((linkedMs - bootedMs) / 1_000, 1),
      number(links / count, 1),
      number(needed / count, 1),
    ]);
  }
  printTable(
    [
      "convergence after a local boot, s",
      "boot, all up",
      "all links stand, after",
      "links a node",
      "of these needed",
    ],
    rows,
  );
}

interface Convergence {
  /** Since `start`: every link of the graph stands. */
  readonly linkedMs: number;
  /** Ends of links then, and of those in the graph. */
  readonly links: number;
  readonly needed: number;
}

/** By the view of one node, which has heard of all others when it shows what they claim. */
async function watch(mesh: LocalMesh, start: number): Promise<Convergence> {
  for (;;) {
    const nodes = await mesh.nodes();
    const linkedMs = performance.now() - start;
    const up = nodes.filter(({ state }) => state === "up");
    const claims = new Map(up.map(({ keyId, links }) => [keyId, new Set(links)]));
    const wanted = up.map((node) => ({ keyId: node.keyId, peers: standingLinks(up, node) }));
    const isLinked = up.length === mesh.names.length &&
      wanted.every(({ keyId, peers }) =>
        [...peers].every((peer) => claims.get(keyId)?.has(peer) && claims.get(peer)?.has(keyId))
      );
    const links = up.reduce((sum, node) => sum + node.links.length, 0);
    const needed = wanted.reduce((sum, { peers }) => sum + peers.size, 0);
    if (isLinked) return { linkedMs, links, needed };
    if (linkedMs > CONVERGENCE_MS_MAX) {
      throw new Error(`Links do not all stand after ${CONVERGENCE_MS_MAX} ms`);
    }
  }
}
