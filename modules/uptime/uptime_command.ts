/** `minime uptime`: one look at all nodes, or one after the other. */

import type { CommandContext, MeshClient, OptionsOf } from "../shared/command.ts";
import { exitCodeOf } from "../shared/exit_code.ts";
import { callGroup, callTargets, type GroupCallOptions } from "../shared/group_client.ts";
import { failureLines } from "../shared/group_report.ts";
import { lookAtMesh } from "../shared/looks.ts";
import { readWholeView } from "../shared/mesh_query.ts";
import { failuresOf, missingNodes, targetsAmong } from "../shared/missing_nodes.ts";
import { type NodeSelection, readSelection } from "../shared/node_selection.ts";
import type { uptimeOptions } from "./commands.ts";
import { UptimeReport } from "./report.ts";

type UptimeOptions = OptionsOf<typeof uptimeOptions>;

/** Exit code: whether all nodes answered, some, or none; see the command's description. */
export async function runUptime(context: CommandContext, options: UptimeOptions): Promise<number> {
  const selection = await readSelection(context, options);
  const report = await lookAtMesh(context, {
    ...options,
    redraw: !options.json,
    look: (client) => look(context, options, { client, selection }),
    show: (seen, client) => show(context, options, { report: seen, client }),
  });
  const { asked, failed } = report.verdict(selection.given);
  return exitCodeOf(asked, failed);
}

async function look(
  context: CommandContext,
  options: UptimeOptions,
  parts: { readonly client: MeshClient; readonly selection: NodeSelection },
): Promise<UptimeReport> {
  const { client, selection } = parts;
  const { signal, env } = context;
  const order: Omit<GroupCallOptions, "targets"> = {
    steps: [{ verb: "uptime.get", args: { coarse: options.fold } }],
    reduce: { kind: options.fold ? "fold" : "list" },
    deadlineMs: options.timeout,
    signal,
  };
  const everything = options.nodes.length + options.group.length + options.exclude.length === 0;
  if (everything) {
    const seeing = readWholeView(client, { signal });
    const [view, missing, result] = await Promise.all([
      seeing,
      seeing.then(({ nodes }) => missingNodes(context, client, nodes.map(({ name }) => name))),
      callGroup(client, { ...order, targets: "" }),
    ]);
    result.miss(failuresOf(missing));
    return new UptimeReport(result, { view, now: env.clock.now() });
  }
  const view = await readWholeView(client, { signal });
  const targets = await targetsAmong(context, client, { nodes: view.nodes, selection });
  const result = await callTargets(client, targets, () => Promise.resolve(order));
  return new UptimeReport(result, { view, now: env.clock.now() });
}

function show(
  context: CommandContext,
  options: UptimeOptions,
  parts: { readonly report: UptimeReport; readonly client: MeshClient },
): void {
  const { out, env } = context;
  const { report, client } = parts;
  if (options.json) {
    const nodes = options.fold ? report.foldedJson() : report.json();
    return out.json({ mesh: client.meshName, via: client.via.name, nodes, counts: report.counts });
  }
  const table = options.fold ? report.foldedTable() : report.table();
  out.table(table.columns, table.rows, table.style);
  out.print(report.summary());
  // Down nodes stand in the table with all there is to say.
  const unclear = [...report.failures].filter((failure) => !report.isKnownDown(failure.name));
  for (const line of failureLines(unclear, { now: env.clock.now() })) {
    out.writeError(`${line}\n`);
  }
}
