/** Who waits on the login nodes of the mesh, as an operator sees it. */

import * as v from "valibot";
import { ConnectionError } from "../../core/mod.ts";
import type { MeshClient } from "../shared/command.ts";
import { EnrolRequestsSchema } from "../shared/enrol_verbs.ts";
import { callGroup } from "../shared/group_client.ts";
import type { GroupResult } from "../shared/group_result.ts";
import type { MeshView } from "../shared/mesh_view.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { LOGIN_GROUP } from "../shared/roles.ts";
import { ENROL_ASK_MS_MAX } from "./limits.ts";

/** A request, and where it was made. */
export interface WaitingUser {
  readonly node: string;
  readonly user: string;
  readonly keyId: string;
  readonly signPublicKey: Uint8Array;
  readonly dhPublicKey: Uint8Array;
  readonly askedMs: number;
}

/** Throws ConnectionError when no login node is up. */
export async function waitingUsers(
  client: MeshClient,
  view: MeshView,
  signal: AbortSignal,
): Promise<{ readonly waiting: readonly WaitingUser[]; readonly result: GroupResult }> {
  const targets = view.nodes.filter(({ state, groups }) =>
    state === "up" && groups.includes(LOGIN_GROUP)
  ).map(({ name }) => name);
  if (targets.length === 0) {
    throw new ConnectionError("other", `No node that is up is in group "${LOGIN_GROUP}"`);
  }
  const result = await callGroup(client, {
    targets: foldNodeset(targets),
    signed: await client.sign("keys.requests", {}, { targets }),
    deadlineMs: ENROL_ASK_MS_MAX,
    signal,
  });
  const waiting = [...result.values].flatMap(([node, value]) => {
    const [answer] = Array.isArray(value) ? value : [value];
    return v.parse(EnrolRequestsSchema, answer).requests.map((each) => ({ node, ...each }));
  });
  return { waiting, result };
}
