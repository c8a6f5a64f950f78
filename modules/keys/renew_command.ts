/** `minime mesh renew`: nodes ask their registrars for new certificates now. */

import * as v from "valibot";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { formatDuration } from "../shared/duration.ts";
import { Fold } from "../shared/fold.ts";
import { callTargets } from "../shared/group_client.ts";
import { reportFailures } from "../shared/group_report.ts";
import { reachMesh } from "../shared/mesh_query.ts";
import { targetsAmong } from "../shared/missing_nodes.ts";
import { readSelection } from "../shared/node_selection.ts";
import { RenewedUntilSchema } from "../shared/renewal_verbs.ts";
import type { renewOptions } from "./commands.ts";

const VERB = "keys.renew_now";

/** Exit code: whether all nodes have renewed, some, or none. */
export async function runRenew(
  context: CommandContext,
  options: OptionsOf<typeof renewOptions>,
): Promise<number> {
  const { env: { clock }, out, signal } = context;
  const selection = await readSelection(context, options);
  const { client, view: { nodes } } = await reachMesh(context);
  await using _client = client;
  const targets = await targetsAmong(context, client, { nodes, selection });
  const result = await callTargets(client, targets, async (nodes) => ({
    signed: await client.sign(VERB, {}, { targets: nodes }),
    signal,
  }));
  const renewed = [...result.values].map(([name, value]) => {
    return { name, notAfter: v.parse(RenewedUntilSchema, value).notAfter };
  });
  if (options.json) out.json({ renewed, failures: [...result.failures.values()] });
  else {
    const fold = new Fold<string>();
    for (const { name, notAfter } of renewed) {
      fold.add(name, formatDuration(notAfter - clock.now()));
    }
    for (const { nodeset, value } of fold.groups()) {
      out.print(`${nodeset}: valid for another ${value}`);
    }
  }
  return reportFailures(result, { out, now: clock.now() });
}
