/**
 * Calls `group.call` from anywhere: through a client, a link or an internal conduit. It verifies
 * what comes back and puts it together, so that commands see one account, node by node.
 */

import * as v from "valibot";
import { type Caller, CallError, PRIORITY, REVISION, UsageError } from "../../core/mod.ts";
import type { Call } from "../../core/mod.ts";
import type { MeshClient } from "./command.ts";
import type { GroupCallInput } from "./group_request.ts";
import {
  type GroupPart,
  GroupPartSchema,
  GroupReplySchema,
  GroupResult,
  type StreamedItem,
} from "./group_result.ts";
import { GROUP_MS_DEFAULT, GROUP_SLACK_MS } from "./limits.ts";
import type { Targets } from "./missing_nodes.ts";
import { sortedNames } from "./names.ts";
import { foldNodeset } from "./nodeset.ts";

export interface GroupCallOptions extends Omit<GroupCallInput, "progress" | "stream" | "input"> {
  readonly signal?: AbortSignal;
  /** Told after each part that came, with the account so far; asks for parts now and then. */
  readonly onPart?: (soFar: GroupResult) => void;
  /** Takes what targets stream; while it has not resolved, they are slowed down. */
  readonly onItems?: (items: readonly StreamedItem[]) => Promise<void> | void;
  /** Items for all targets. Its error ends the operation. */
  readonly input?: AsyncIterable<unknown>;
}

/**
 * Rejects with CallError when the operation as a whole could not be done; targets that fail are part
 * of the result. UsageError: the targets name what is no node.
 */
export async function callGroup(caller: Caller, options: GroupCallOptions): Promise<GroupResult> {
  const { signal, onPart, onItems, input, expected = "", ...asked } = options;
  const deadlineMs = asked.deadlineMs ?? GROUP_MS_DEFAULT;
  const args: GroupCallInput = {
    ...asked,
    // Older daemons know nothing of it, and refuse what they do not know.
    ...(expected === "" ? {} : { expected }),
    deadlineMs,
    progress: onPart !== undefined,
    ...(onItems === undefined ? {} : { stream: true }),
    ...(input === undefined ? {} : { input: true }),
  };
  const call = caller.stream("group.call", args, {
    // The account of what timed out still has to come back.
    deadlineMs: deadlineMs + 2 * GROUP_SLACK_MS,
    ...(signal === undefined ? {} : { signal }),
    // Signals, and what others ask, overtake what is streamed.
    ...(onItems === undefined && input === undefined ? {} : { priority: PRIORITY.bulk }),
  });
  const result = new GroupResult();
  const take = async ({ items }: GroupPart) => {
    if (items !== undefined && items.length > 0) await onItems?.(items);
  };
  let broken: { readonly error: unknown } | undefined;
  if (input !== undefined) {
    void passInput(input, call).catch((error) => {
      broken = { error };
      call.cancel();
    });
  }
  try {
    for await (const item of call) {
      const part = parse(GroupPartSchema, item);
      await take(part);
      result.add(part);
      onPart?.(result);
    }
    const reply = parse(GroupReplySchema, await call.reply);
    await take(reply);
    result.finish(reply);
  } catch (error) {
    call.cancel();
    if (broken !== undefined) throw broken.error;
    if (error instanceof CallError && error.class === "invalid") {
      throw new UsageError(error.message, { cause: error });
    }
    throw error;
  }
  return result;
}

/**
 * As {@link callGroup}, of all that are meant: those that are missing are accounted for as all others.
 * `order` gets their names.
 */
export async function callTargets(
  caller: Caller & { readonly via: Pick<MeshClient["via"], "revision"> },
  { names, missing, expected = [] }: Targets,
  order: (nodes: readonly string[]) => Promise<Omit<GroupCallOptions, "targets" | "expected">>,
): Promise<GroupResult> {
  if (caller.via.revision < REVISION.starts) {
    const result = names.length === 0
      ? new GroupResult()
      : await callGroup(caller, { ...await order(names), targets: foldNodeset(names) });
    result.miss(missing);
    return result;
  }
  const absent = missing.map(({ name }) => name);
  const nodes = sortedNames([...names, ...absent]);
  return await callGroup(caller, {
    ...await order(nodes),
    targets: foldNodeset(nodes),
    expected: foldNodeset([...expected, ...absent]),
  });
}

/** Rejects with what `input` throws. */
async function passInput(input: AsyncIterable<unknown>, call: Call): Promise<void> {
  for await (const item of input) {
    try {
      await call.send(item);
    } catch {
      // The operation is over, and says so itself.
      return;
    }
  }
  await call.end();
}

function parse<S extends v.GenericSchema>(schema: S, value: unknown): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const why = parsed.issues[0].message;
  throw new CallError("failed", `Account of a group operation is malformed: ${why}`);
}
