/** `minime nodes`: who is there, who was, and since when. */

import { UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { formatDuration } from "../shared/duration.ts";
import { reachMesh } from "../shared/mesh_query.ts";
import type { KnownNode } from "../shared/mesh_home.ts";
import { selectWithMissing } from "../shared/missing_nodes.ts";
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
const STYLES: Readonly<Record<string, Style>> = {
  up: "green",
  down: "red",
  missing: "red",
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
  await using _ = client;
  const all = { nodes: view.nodes, selection };
  const { nodes, missing } = await selectWithMissing(context, client, all);
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
      missing: missing.nodes.map(({ name, keyId, groups, endpoints }) => (
        { name, keyId, groups, endpoints, since: missing.since }
      )),
    });
  } else {
    const now = env.clock.now();
    const rows = [
      ...nodes.map((node) => rowOf(node, { now, picture })),
      ...missing.nodes.map((node) => missingRowOf(node, { now, since: missing.since ?? now })),
    ];
    const styleOf = (row: number, column: number) =>
      column === STATE_COLUMN ? STYLES[rows[row]?.[STATE_COLUMN] ?? ""] : undefined;
    out.table(COLUMNS, rows, styleOf);
    out.print(summaryOf(nodes, missing.nodes));
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
  return [
    node.name,
    node.state,
    // By the clock of the daemon that told us, which may be ahead of ours.
    formatDuration(Math.max(0, now - node.since)),
    String(hops ?? "-"),
    (node.lostAt ?? "-") + (lostAtHops === null ? "" : ` (hop ${lostAtHops})`),
    addressOf(node),
    node.groups.join(",") || "-",
    node.segment,
    node.state === "up" ? String(node.links.length) : "-",
    node.version,
  ];
}

/** As {@link rowOf}, of a node of which the daemon has not heard; `since` is its start in Unix ms. */
export function missingRowOf(
  node: KnownNode,
  { now, since }: { readonly now: number; readonly since: number },
): string[] {
  return [
    node.name,
    "missing",
    formatDuration(Math.max(0, now - since)),
    ...["-", "-"],
    addressOf(node),
    node.groups.join(",") || "-",
    node.segment ?? "-",
    ...["-", "-"],
  ];
}

function addressOf({ endpoints }: Pick<NodeView, "endpoints">): string {
  const [endpoint = "-", ...more] = endpoints;
  return endpoint.replace(/^tcp:/, "") + (more.length === 0 ? "" : ` +${more.length}`);
}

/** "3 up, 1 down, 1 missing, 2 left": only what there is. */
export function summaryOf(
  nodes: readonly Pick<NodeView, "state">[],
  missing: readonly unknown[] = [],
): string {
  const counts = (["up", "down", "missing", "left"] as const).flatMap((state) => {
    const count = state === "missing"
      ? missing.length
      : nodes.filter((node) => node.state === state).length;
    return count === 0 && state !== "up" ? [] : [`${count} ${state}`];
  });
  return counts.join(", ");
}
