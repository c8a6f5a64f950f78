/**
 * `minime status`: is the mesh healthy, and what is wrong with it. It asks the daemon that it reaches
 * who is there, and every node for its own links; who does not answer in time is shown as that.
 */

import * as v from "valibot";
import { errorText, UsageError } from "../../core/mod.ts";
import type { CommandContext, MeshClient, OptionsOf } from "../shared/command.ts";
import { formatDuration } from "../shared/duration.ts";
import { EXIT } from "../shared/exit_code.ts";
import { callGroup } from "../shared/group_client.ts";
import type { GroupResult } from "../shared/group_result.ts";
import { GROUP_NODE_BYTES_MAX } from "../shared/limits.ts";
import { isGone, lookAtMesh } from "../shared/looks.ts";
import { reachMesh, readWholeView } from "../shared/mesh_query.ts";
import type { MeshView } from "../shared/mesh_view.ts";
import { missingNodes } from "../shared/missing_nodes.ts";
import { certificateWarnings } from "../shared/renewal.ts";
import { KeysStatusSchema } from "../shared/renewal_verbs.ts";
import type { statusOptions } from "./commands.ts";
import {
  SLOW_BETWEEN_SEGMENTS_MS,
  SLOW_MS,
  STATUS_ANSWER_MS_MAX,
  STATUS_POLL_MS,
  STATUS_WAIT_MS_DEFAULT,
} from "./limits.ts";
import { shutOut } from "./shut_out.ts";
import { type MeshStatus, meshStatus, type OwnLinks, OwnLinksSchema } from "./status.ts";
import {
  linkTable,
  nodeTable,
  problemLines,
  statusJson,
  statusSummary,
  type StatusTable,
} from "./status_report.ts";
import type { StatusGoal } from "./status_goal.ts";

type StatusOptions = OptionsOf<typeof statusOptions>;

/** Exit code: 0 healthy, 1 degraded; with --wait 0 reached, 124 not in time. */
export async function runStatus(context: CommandContext, options: StatusOptions): Promise<number> {
  if (options.wait !== undefined) return await wait(context, options, options.wait);
  if (options.timeout !== undefined) {
    throw new UsageError("--timeout says how long --wait waits", { hint: "Add --wait healthy" });
  }
  let brought: MeshView | undefined;
  const { problems } = await lookAtMesh(context, {
    ...options,
    redraw: !options.json,
    connect: async () => {
      const { client, view } = await reachMesh(context);
      brought = view;
      return client;
    },
    look: (client) => {
      const view = brought;
      brought = undefined;
      return look(context, options, { client, view });
    },
    show: (status, client) => show(context, options, { status, client }),
  });
  return problems.length === 0 ? EXIT.ok : EXIT.someFailed;
}

/** `view`: what the mesh looks like, where it is known already. */
async function look(
  context: CommandContext,
  options: StatusOptions,
  { client, view: brought }: { readonly client: MeshClient; readonly view?: MeshView | undefined },
): Promise<MeshStatus> {
  const { env, signal } = context;
  const asked = { targets: "", reduce: { kind: "list" }, signal } as const;
  const seeing = brought === undefined
    ? readWholeView(client, { signal })
    : Promise.resolve(brought);
  const [view, missing, result, keys, shut] = await Promise.all([
    seeing,
    seeing.then(({ nodes }) => missingNodes(context, client, nodes.map(({ name }) => name))),
    callGroup(client, {
      ...asked,
      steps: [{ verb: "mesh.links" }],
      deadlineMs: STATUS_ANSWER_MS_MAX,
      bytesPerNodeMax: GROUP_NODE_BYTES_MAX,
    }),
    callGroup(client, {
      ...asked,
      steps: [{ verb: "keys.status" }],
      deadlineMs: STATUS_ANSWER_MS_MAX,
    }),
    seeing.then(async (view) => await shutOut(context, await context.home(), view)),
  ]);
  const { links, silent } = answersOf(result);
  return meshStatus({
    view,
    links,
    silent,
    certificates: certificatesOf(keys, env.clock.now()),
    shutOut: shut,
    missing,
    slowMs: options.slow ?? SLOW_MS,
    slowBetweenSegmentsMs: options.slow ?? SLOW_BETWEEN_SEGMENTS_MS,
  });
}

/** Of nodes that say something; older versions do not know the question. */
function certificatesOf({ values }: GroupResult, now: number): Map<string, readonly string[]> {
  const told = new Map<string, readonly string[]>();
  for (const [name, value] of values) {
    const parsed = v.safeParse(KeysStatusSchema, value);
    if (parsed.success) told.set(name, certificateWarnings(parsed.output, now));
  }
  return told;
}

function answersOf(
  result: GroupResult,
): { links: Map<string, OwnLinks>; silent: Map<string, string> } {
  const links = new Map<string, OwnLinks>();
  const silent = new Map([...result.failures].map(([name, { reason }]) => [name, reason]));
  for (const [name, value] of result.values) {
    const parsed = v.safeParse(OwnLinksSchema, value, { abortEarly: true });
    if (parsed.success) links.set(name, parsed.output);
    else silent.set(name, `Answer is malformed: ${parsed.issues[0].message}`);
  }
  return { links, silent };
}

function show(
  { out, env }: CommandContext,
  options: StatusOptions,
  { status, client }: { readonly status: MeshStatus; readonly client: MeshClient },
): void {
  if (options.json) {
    return out.json({ mesh: client.meshName, via: client.via.name, ...statusJson(status) });
  }
  const now = env.clock.now();
  const print = ({ columns, rows, style }: StatusTable) => out.table(columns, rows, style);
  print(nodeTable(status, now));
  if (options.links && status.links.length > 0) {
    out.print("");
    print(linkTable(status.links, now));
  }
  for (const line of problemLines(status, now)) out.print(`! ${line}`);
  out.print(statusSummary(status));
}

/** Looks until the goal is reached; a mesh that cannot be reached yet may come up meanwhile. */
async function wait(
  context: CommandContext,
  options: StatusOptions,
  goal: StatusGoal,
): Promise<number> {
  const { env, out, signal } = context;
  if (options.watch) throw new UsageError("--wait and --watch cannot be given at the same time");
  const timeoutMs = options.timeout ?? STATUS_WAIT_MS_DEFAULT;
  const end = env.clock.monotonic() + timeoutMs;
  let client: MeshClient | undefined;
  let seen: { readonly status: MeshStatus; readonly client: MeshClient } | undefined;
  let lacks: string;
  try {
    for (;;) {
      try {
        let view: MeshView | undefined;
        if (client === undefined) ({ client, view } = await reachMesh(context));
        const status = await look(context, options, { client, view });
        seen = { status, client };
        lacks = goal.lacks(status) ?? "";
        if (lacks === "") break;
      } catch (error) {
        signal.throwIfAborted();
        if (!isGone(error)) throw error;
        await client?.close();
        client = undefined;
        lacks = errorText(error);
        if (seen === undefined && env.clock.monotonic() >= end) throw error;
      }
      if (env.clock.monotonic() >= end) break;
      out.progress(`Waiting until the mesh is ${goal.text}: ${lacks}`);
      await env.clock.sleep(STATUS_POLL_MS, { signal });
    }
  } finally {
    out.progress(undefined);
    await client?.close();
  }
  if (seen !== undefined) show(context, options, seen);
  if (lacks === "") return EXIT.ok;
  out.warn(`Mesh is not ${goal.text} after ${formatDuration(timeoutMs)}: ${lacks}`);
  return EXIT.timedOut;
}
