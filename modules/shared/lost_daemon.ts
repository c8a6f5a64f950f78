/**
 * The daemon that was asked for many nodes has died in the middle, or says nothing any more: nobody can
 * know what became of those of which it has not told. One that takes no more has done nothing.
 */

import { CallError, type CallErrorClass, errorText } from "../../core/mod.ts";
import type { NodeFailure } from "./group_result.ts";

const WHAT: Readonly<Partial<Record<CallErrorClass, readonly [string, "maybe" | "never"]>>> = {
  busy: ["takes no more", "never"],
  timeout: ["was asked and does not answer", "maybe"],
  unreachable: ["was asked and is gone", "maybe"],
};

/** What to say of each of them. Throws any other error. */
export function lossOf({ via, error }: { via: string; error: unknown }): Omit<NodeFailure, "name"> {
  const loss = error instanceof CallError ? WHAT[error.class] : undefined;
  if (loss === undefined) throw error;
  const [what, ran] = loss;
  return { set: "unreachable", reason: `Node "${via}" ${what}: ${errorText(error)}`, ran };
}
