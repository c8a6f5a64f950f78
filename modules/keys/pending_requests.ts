/** Who waits on the login nodes of the mesh, as an operator sees it. */

import * as v from "valibot";
import { ConnectionError, MinimeError, type Primitives } from "../../core/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import { EnrolRequestsSchema } from "../shared/enrol_verbs.ts";
import type { NodeFailure } from "../shared/group_result.ts";
import type { MeshView } from "../shared/mesh_view.ts";
import { LOGIN_GROUP } from "../shared/roles.ts";
import { tryEach } from "../shared/try_each.ts";
import { type EnrolRequest, readRequestFileName } from "./enrol_request.ts";
import { ENROL_ASK_MS_MAX, ENROL_ASKED_AT_ONCE_MAX } from "./limits.ts";

/** A request, and where it was made. */
export interface WaitingUser extends EnrolRequest {
  readonly node: string;
  readonly user: string;
  readonly askedMs: number;
}

/** What all login nodes said that are up. */
export interface Waiting {
  readonly waiting: readonly WaitingUser[];
  readonly asked: number;
  readonly failures: ReadonlyMap<string, NodeFailure>;
}

/**
 * Each is asked in a connection that ends in it, for a certificate follows from what it says, and must
 * show by its own certificate that people ask there.
 *
 * @throws ConnectionError when no login node is up
 */
export async function waitingUsers(
  context: CommandContext,
  primitives: Primitives,
  { nodes }: MeshView,
): Promise<Waiting> {
  const targets = nodes.filter(({ state, groups }) =>
    state === "up" && groups.includes(LOGIN_GROUP)
  ).map(({ name }) => name);
  if (targets.length === 0) {
    throw new ConnectionError(
      "other",
      `No node that is up is in group "${LOGIN_GROUP}": only there can people ask`,
    );
  }
  const failures = new Map<string, NodeFailure>();
  const { signal } = context;
  const lists = new Map<string, WaitingUser[]>();
  await tryEach(targets, { window: ENROL_ASKED_AT_ONCE_MAX, signal, failures }, async (node) => {
    lists.set(node, await waitingOn(context, primitives, node));
  });
  const waiting = targets.flatMap((node) => lists.get(node) ?? []);
  return { waiting, asked: targets.length, failures };
}

/** Whoever approves or denies asks as this does: nobody in between sees or changes it. */
export async function askLoginNode(
  context: CommandContext,
  node: string,
  { verb, args }: { readonly verb: "keys.requests" | "keys.answer"; readonly args: unknown },
): Promise<unknown> {
  const patience = { deadlineMs: ENROL_ASK_MS_MAX, signal: context.signal };
  await using session = await context.session(node, { timeoutMs: ENROL_ASK_MS_MAX });
  const { groups } = session.via;
  if (groups !== undefined && !groups.includes(LOGIN_GROUP)) {
    throw new MinimeError(`By its certificate it is not in group "${LOGIN_GROUP}"`);
  }
  const request = await session.sign(verb, args, { targets: [node] });
  return await session.request(verb, request, { signed: true, ...patience });
}

async function waitingOn(
  context: CommandContext,
  primitives: Primitives,
  node: string,
): Promise<WaitingUser[]> {
  const reply = await askLoginNode(context, node, { verb: "keys.requests", args: {} });
  const parsed = v.safeParse(EnrolRequestsSchema, reply, { abortEarly: true });
  if (!parsed.success) {
    throw new MinimeError(`Its list of requests is malformed: ${parsed.issues[0].message}`);
  }
  return parsed.output.requests.map(({ user, file, askedMs }) => {
    const request = readRequestFileName(primitives, { file, user });
    if (request !== undefined) return { ...request, node, user, askedMs };
    throw new MinimeError(`The request of "${user}" was not made by who has its key`);
  });
}
