/**
 * Calls `group.call` from anywhere: through a client, a link or an internal conduit. It verifies
 * what comes back and puts it together, so that commands see one account, node by node.
 */

import * as v from "valibot";
import { type Caller, CallError, UsageError } from "../../core/mod.ts";
import type { GroupCallInput } from "./group_request.ts";
import { GroupPartSchema, GroupReplySchema, GroupResult } from "./group_result.ts";
import { GROUP_MS_DEFAULT, GROUP_SLACK_MS } from "./limits.ts";

export interface GroupCallOptions extends Omit<GroupCallInput, "progress"> {
  readonly signal?: AbortSignal;
  /** Told after each part that came, with the account so far; asks for parts now and then. */
  readonly onPart?: (soFar: GroupResult) => void;
}

/**
 * Rejects with CallError when the operation as a whole could not be done; targets that fail are part
 * of the result. UsageError: the targets name what is no node.
 */
export async function callGroup(caller: Caller, options: GroupCallOptions): Promise<GroupResult> {
  const { signal, onPart, ...asked } = options;
  const deadlineMs = asked.deadlineMs ?? GROUP_MS_DEFAULT;
  const args: GroupCallInput = { ...asked, deadlineMs, progress: onPart !== undefined };
  const call = caller.stream("group.call", args, {
    // The account of what timed out still has to come back.
    deadlineMs: deadlineMs + 2 * GROUP_SLACK_MS,
    ...(signal === undefined ? {} : { signal }),
  });
  const result = new GroupResult();
  try {
    for await (const item of call) {
      result.add(parse(GroupPartSchema, item));
      onPart?.(result);
    }
    result.finish(parse(GroupReplySchema, await call.reply));
  } catch (error) {
    call.cancel();
    if (error instanceof CallError && error.class === "invalid") {
      throw new UsageError(error.message, { cause: error });
    }
    throw error;
  }
  return result;
}

function parse<S extends v.GenericSchema>(schema: S, value: unknown): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const why = parsed.issues[0].message;
  throw new CallError("failed", `Account of a group operation is malformed: ${why}`);
}
