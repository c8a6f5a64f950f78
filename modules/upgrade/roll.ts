/** One node goes on as the new program, and is waited for until the mesh has it back. */

import * as v from "valibot";
import { CallError, ConnectionError, errorText, MinimeError } from "../../core/mod.ts";
import type { CommandContext, MeshClient } from "../shared/command.ts";
import { callGroup } from "../shared/group_client.ts";
import { failureLines } from "../shared/group_report.ts";
import type { NodeView } from "../shared/mesh_view.ts";
import { reachMesh } from "../shared/mesh_query.ts";
import { ANSWER_MS_MAX, BACK_MS_MAX, LOOK_MS, START_MS_MAX } from "./limits.ts";
import { StartedSchema, StateSchema } from "./verbs.ts";

/** What became of one node. */
export interface Roll {
  readonly name: string;
  /** Versions; the same one may be two programs. */
  readonly from: string;
  readonly to: string;
  /** From when it was told until the mesh had it back. */
  readonly ms: number;
  /** Why it does not run the new program. @default it does */
  readonly problem?: string;
}

interface Target {
  readonly client: MeshClient;
  readonly node: NodeView;
  readonly hash: string;
}

/** Rejects only when interrupted. */
export async function rollNode(context: CommandContext, target: Target): Promise<Roll> {
  const { env: { clock }, signal } = context;
  const { node: { name, version } } = target;
  const begun = clock.monotonic();
  const finish = (to: string, problem?: string): Roll => ({
    name,
    from: version,
    to,
    ms: Math.round(clock.monotonic() - begun),
    ...(problem === undefined ? {} : { problem }),
  });
  try {
    const { instance } = await start(context, target);
    const state = await waitUntilBack(context, { ...target, instance });
    if (state === undefined) {
      return finish(version, `Did not come back within ${BACK_MS_MAX / 1_000} s`);
    }
    return state.hash === target.hash
      ? finish(state.version)
      : finish(state.version, "The new program did not come up: the node took its old one back");
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof MinimeError)) throw error;
    return finish(version, errorText(error));
  }
}

async function start(
  { env, signal }: CommandContext,
  { client, node: { name }, hash }: Target,
): Promise<v.InferOutput<typeof StartedSchema>> {
  const result = await callGroup(client, {
    targets: name,
    signed: await client.sign("upgrade.start", { hash }, { targets: [name] }),
    deadlineMs: START_MS_MAX,
    signal,
  });
  const [failure] = failureLines(result.failures.values(), { now: env.clock.now() });
  if (failure !== undefined) throw new CallError("failed", failure.replace(`${name}: `, ""));
  return v.parse(StartedSchema, result.values.get(name));
}

/** In another life, and answering; undefined when it takes too long. */
async function waitUntilBack(
  context: CommandContext,
  { node: { name }, instance }: Target & { readonly instance: string },
): Promise<v.InferOutput<typeof StateSchema> | undefined> {
  const { env: { clock }, signal, out } = context;
  const until = clock.monotonic() + BACK_MS_MAX;
  while (clock.monotonic() < until) {
    try {
      const state = await ask(context, name);
      if (state !== undefined && state.instance !== instance) return state;
    } catch (error) {
      signal.throwIfAborted();
      // Who carried us may be the one that goes on as another program right now.
      if (!(error instanceof CallError || error instanceof ConnectionError)) throw error;
      out.detail(`Waiting for "${name}": ${errorText(error)}`);
    }
    await clock.sleep(LOOK_MS, { signal });
  }
  return undefined;
}

/** Undefined when the mesh has it not up, or it does not answer. */
async function ask(
  context: CommandContext,
  name: string,
): Promise<v.InferOutput<typeof StateSchema> | undefined> {
  const { client, view } = await reachMesh(context);
  await using _client = client;
  if (!view.nodes.some((node) => node.name === name && node.state === "up")) return undefined;
  const result = await callGroup(client, {
    targets: name,
    steps: [{ verb: "upgrade.state" }],
    reduce: { kind: "list" },
    deadlineMs: ANSWER_MS_MAX,
    signal: context.signal,
  });
  const state = v.safeParse(StateSchema, result.values.get(name));
  return state.success ? state.output : undefined;
}
