/** `minime route`: the ways between nodes, and what is missing where there is none. */

import * as v from "valibot";
import { CallError, UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { exitCodeOf } from "../shared/exit_code.ts";
import { reachMesh } from "../shared/mesh_query.ts";
import type { NodeView } from "../shared/mesh_view.ts";
import { missingText, selectSeen, selectWithMissing } from "../shared/missing_nodes.ts";
import {
  type NodeSelection,
  type Operand,
  operandNames,
  readOperand,
} from "../shared/node_selection.ts";
import { type HopKind, type Route, RouteSchema, type RouteWay } from "../shared/route_view.ts";
import { inWindow } from "../shared/window.ts";
import type { routeOptions } from "./commands.ts";

/** A daemon takes 50 requests a second of one user. */
const QUESTIONS_AT_ONCE_MAX = 16;

const COLUMNS = [
  { header: "FROM" },
  { header: "TO" },
  { header: "CLASS" },
  { header: "HOPS", align: "right" },
  { header: "WAY" },
] as const;

/** What stands behind a hop that is no standing link. */
export const HOP_MARKS: Readonly<Record<HopKind, string>> = {
  "link": "",
  "on-demand": " (on demand)",
  "dial": " (dialled)",
};

/** Exit code as for nodes that failed: those to which no class has a way. */
export async function runRoute(
  context: CommandContext,
  options: OptionsOf<typeof routeOptions>,
  args: readonly string[],
): Promise<number> {
  const { out, signal } = context;
  const operands = await Promise.all(args.map((text) => readOperand(context, text)));
  const { client, view } = await reachMesh(context);
  await using _closing = client;
  const { nodes } = view;
  const meant = (operand: Operand): Pick<NodeSelection, "named" | "names"> => ({
    named: true,
    names: (source) => operandNames(operand, source),
  });
  const [first, second] = operands as [Operand, Operand?];
  const sources = second === undefined
    ? []
    : await selectSeen(context, client, { nodes, selection: meant(first) });
  if (sources.length > 1) {
    throw new UsageError(`The ways begin at one node, "${args[0]}" means ${sources.length}`);
  }
  const self = view.nodes.find(({ keyId }) => keyId === view.self);
  const from = sources[0] ?? self;
  const selection = meant(second ?? first);
  const selected = await selectWithMissing(context, client, { nodes, selection });
  const { missing } = selected;
  if (selected.nodes.length + missing.nodes.length === 0) {
    throw new UsageError("No node is selected");
  }
  const targets = selected.nodes.filter(({ keyId }) => keyId !== from?.keyId);
  if (targets.length + missing.nodes.length === 0) {
    throw new UsageError("Both ends are the same node");
  }
  const routes: Route[] = [];
  await inWindow([...targets.keys()], QUESTIONS_AT_ONCE_MAX, async (index) => {
    const { keyId } = targets[index] as NodeView;
    const question = { to: keyId, ...(from === undefined ? {} : { from: from.keyId }) };
    routes[index] = parseRoute(await client.request("router.route", question, { signal }));
  });
  for (const { name } of missing.nodes) {
    const none = { hops: [], why: `"${name}" is ${missingText(missing)}` };
    routes.push({ from: from?.name ?? client.via.name, to: name, low: none, high: none });
  }
  if (options.json) out.json({ mesh: client.meshName, via: client.via.name, routes });
  else {
    out.table(
      COLUMNS,
      routes.flatMap(({ from, to, low, high }) => [
        [from, to, "low", ...cellsOf(low)],
        [from, to, "high", ...cellsOf(high)],
      ]),
    );
  }
  const lost = routes.filter(({ low, high }) => low.hops.length + high.hops.length === 0);
  return exitCodeOf(routes.length, lost.length);
}

/** Number of hops, and the nodes behind the first one; or why there is no way. */
export function cellsOf({ hops, why }: RouteWay): [string, string] {
  if (hops.length === 0) return ["-", why ?? "No way"];
  return [String(hops.length), hops.map(({ name, kind }) => name + HOP_MARKS[kind]).join(", ")];
}

function parseRoute(reply: unknown): Route {
  const parsed = v.safeParse(RouteSchema, reply, { abortEarly: true });
  if (parsed.success) return parsed.output;
  throw new CallError("failed", `Answer of the router is malformed: ${parsed.issues[0].message}`);
}
