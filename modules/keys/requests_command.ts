/** `minime user requests`: who waits to become a user of the mesh. */

import { choosePrimitives } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { formatDuration } from "../shared/duration.ts";
import { reportFailures } from "../shared/group_report.ts";
import { reachMesh } from "../shared/mesh_query.ts";
import type { requestsOptions } from "./commands.ts";
import { fingerprintOf } from "./enrol_request.ts";
import { waitingUsers } from "./pending_requests.ts";

/** Exit code: whether all login nodes answered, some, or none. */
export async function runRequests(
  context: CommandContext,
  { json }: OptionsOf<typeof requestsOptions>,
): Promise<number> {
  const { env: { clock }, out } = context;
  const { client, view } = await reachMesh(context);
  await client.close();
  using primitives = await choosePrimitives();
  const { waiting, asked, failures } = await waitingUsers(context, primitives, view);
  const now = clock.now();
  const users = await (await context.home()).users();
  const groupsOf = (keyId: string) => users.find((user) => user.keyId === keyId)?.groups;
  if (json) {
    out.json({
      requests: waiting.map(({ user, node, keyId, askedMs }) => ({
        user,
        node,
        keyId,
        fingerprint: fingerprintOf(keyId),
        askedMs,
        groupsSoFar: groupsOf(keyId) ?? null,
      })),
    });
  } else if (waiting.length === 0) out.print("Nobody waits");
  else {
    out.table(
      [
        { header: "USER" },
        { header: "NODE" },
        { header: "FINGERPRINT" },
        { header: "SINCE" },
        { header: "GROUPS SO FAR" },
      ],
      waiting.map(({ user, node, keyId, askedMs }) => [
        user,
        node,
        fingerprintOf(keyId),
        formatDuration(Math.max(0, now - askedMs)),
        groupsOf(keyId)?.join(",") || "-",
      ]),
    );
  }
  const refused = [...failures.values()].filter(({ set }) => set === "refused").length;
  return reportFailures({ failures, counts: { asked, refused } }, { out, now });
}
