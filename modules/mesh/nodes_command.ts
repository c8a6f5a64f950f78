/** `minime nodes`: who is there, who was, and since when. */

import { UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { formatDuration } from "../shared/duration.ts";
import { reachMesh, selectNodes } from "../shared/mesh_query.ts";
import { MeshPicture, type NodeView } from "../shared/mesh_view.ts";
import { readSelection } from "../shared/node_selection.ts";
import type { Style } from "../shared/output.ts";
import type { nodesOptions } from "./commands.ts";

const COLUMNS = [
  { header: "NODE" },
  { header: "STATE" },
  { header: "FOR", align: "right" },
  { header: "HOPS", align: "right" },
  { header: "LOST AT" },
  { header: "ADDRESS", spare: true },
  { header: "GROUPS", spare: true },
  { header: "SEGMENT", spare: true },
  { header: "LINKS", align: "right", spare: true },
  { header: "VERSION", spare: true },
] as const;

const STATE_COLUMN = 1;
const STYLES: Readonly<Record<NodeView["state"], Style>> = {
  up: "green",
  down: "red",
  left: "dim",
};

/** Always exit code 0: that a node is down is an answer. */
export async function runNodes(
  context: CommandContext,
  options: OptionsOf<typeof nodesOptions>,
): Promise<void> {
  const { out, env } = context;
  if (options.toml && options.json) {
    throw new UsageError("--toml and --json cannot be printed at the same time");
  }
  const selection = await readSelection(context, options);
  const { client, view } = await reachMesh(context);
  await client.close();
  const nodes = selectNodes(view.nodes, selection);
  const picture = new MeshPicture(view);
  if (options.toml) {
    const { meshFileOf } = await import("./nodes_file.ts");
    out.write(await meshFileOf(context, nodes));
  } else if (options.json) {
    const nameOf = new Map(view.nodes.map(({ keyId, name }) => [keyId, name]));
    out.json({
      mesh: client.meshName,
      via: client.via.name,
      nodes: nodes.map((node) => ({
        ...node,
        ...hopsOf(node, picture),
        links: node.links.map((keyId) => nameOf.get(keyId) ?? keyId),
      })),
    });
  } else {
    const rows = nodes.map((node) => rowOf(node, { now: env.clock.now(), picture }));
    const styleOf = (row: number, column: number) => {
      const node = nodes[row];
      return column === STATE_COLUMN && node !== undefined ? STYLES[node.state] : undefined;
    };
    out.table(COLUMNS, rows, styleOf);
    out.print(summaryOf(nodes));
  }
}

/** How far away a node is, or the last one on the way to it; null where there is no way. */
export function hopsOf(
  node: NodeView,
  picture: MeshPicture,
): { readonly hops: number | null; readonly lostAtHops: number | null } {
  const hopsTo = (keyId: string | undefined) => {
    if (keyId === picture.self) return 0;
    return keyId === undefined ? null : picture.wayTo(keyId)?.distance ?? null;
  };
  if (node.state === "up") return { hops: hopsTo(node.keyId), lostAtHops: null };
  const lostAt = node.lostAt === undefined ? undefined : picture.byName(node.lostAt)?.keyId;
  return { hops: null, lostAtHops: hopsTo(lostAt) };
}

/** Cells in the order of the columns; `now` in Unix ms. */
export function rowOf(
  node: NodeView,
  { now, picture }: { readonly now: number; readonly picture: MeshPicture },
): string[] {
  const { hops, lostAtHops } = hopsOf(node, picture);
  const [endpoint = "-", ...more] = node.endpoints;
  return [
    node.name,
    node.state,
    // By the clock of the daemon that told us, which may be ahead of ours.
    formatDuration(Math.max(0, now - node.since)),
    String(hops ?? "-"),
    (node.lostAt ?? "-") + (lostAtHops === null ? "" : ` (hop ${lostAtHops})`),
    endpoint.replace(/^tcp:/, "") + (more.length === 0 ? "" : ` +${more.length}`),
    node.groups.join(",") || "-",
    node.segment,
    node.state === "up" ? String(node.links.length) : "-",
    node.version,
  ];
}

/** "3 up, 1 down, 2 left": only what there is. */
export function summaryOf(nodes: readonly NodeView[]): string {
  const counts = (["up", "down", "left"] as const).flatMap((state) => {
    const count = nodes.filter((node) => node.state === state).length;
    return count === 0 && state !== "up" ? [] : [`${count} ${state}`];
  });
  return counts.join(", ");
}
