/**
 * The daemon that was asked for many nodes has died in the middle, says nothing any more, or takes no more: nobody can know what
 * became of those of which it has not told.
 */

import { CallError, type CallErrorClass, errorText } from "../../core/mod.ts";
import type { NodeFailure } from "./group_result.ts";

const WHAT: Readonly<Partial<Record<CallErrorClass, string>>> = {
  busy: "takes no more",
  timeout: "was asked and does not answer",
  unreachable: "was asked and is gone",
};

/** What to say of each of them. Throws any other error. */
export function lossOf({ via, error }: { via: string; error: unknown }): Omit<NodeFailure, "name"> {
  const what = error instanceof CallError ? WHAT[error.class] : undefined;
  if (what === undefined) throw error;
  return { set: "unreachable", reason: `Node "${via}" ${what}: ${errorText(error)}`, ran: "maybe" };
}
