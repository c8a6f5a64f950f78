/** `minime mesh certificates`: until when nodes are who they are, and by whose word. */

import * as v from "valibot";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { formatDuration } from "../shared/duration.ts";
import { EXIT } from "../shared/exit_code.ts";
import { callTargets } from "../shared/group_client.ts";
import { reportFailures } from "../shared/group_report.ts";
import { reachMesh } from "../shared/mesh_query.ts";
import { targetsAmong } from "../shared/missing_nodes.ts";
import { readSelection } from "../shared/node_selection.ts";
import { certificateWarnings } from "../shared/renewal.ts";
import { KeysStatusSchema } from "../shared/renewal_verbs.ts";
import type { certificatesOptions } from "./commands.ts";

/** Exit code 1 when there is something that a person should look at. */
export async function runCertificates(
  context: CommandContext,
  options: OptionsOf<typeof certificatesOptions>,
): Promise<number> {
  const { env: { clock }, out, signal } = context;
  const selection = await readSelection(context, options);
  const { client, view } = await reachMesh(context);
  await using _client = client;
  const targets = await targetsAmong(context, client, { nodes: view.nodes, selection });
  const result = await callTargets(
    client,
    targets,
    () => Promise.resolve({ steps: [{ verb: "keys.status" }], reduce: { kind: "list" }, signal }),
  );
  const nodes = [...result.values].map(([name, value]) => {
    return { name, ...v.parse(KeysStatusSchema, value) };
  });
  const now = clock.now();
  const warnings = nodes.flatMap((node) =>
    certificateWarnings(node, now).map((text) => ({ ...node, text }))
  );
  if (options.json) {
    out.json({ mesh: client.meshName, nodes, failures: [...result.failures.values()] });
  } else {
    out.table(
      [{ header: "NODE" }, { header: "VALID FOR" }, { header: "RENEWED IN" }, {
        header: "SIGNED BY",
      }],
      nodes.map(({ name, notAfter, renewalAt, issuer }) => [
        name,
        leftText(notAfter - now),
        leftText(renewalAt - now),
        issuer === null ? "the root key" : `${issuer.name} ${issuer.keyId.slice(0, 16)}`,
      ]),
    );
    for (const { name, text } of warnings) out.warn(`"${name}": ${text}`);
  }
  const code = reportFailures(result, { out, now });
  return code === EXIT.ok && warnings.length > 0 ? EXIT.someFailed : code;
}

function leftText(ms: number): string {
  return ms <= 0 ? "now" : formatDuration(ms);
}
