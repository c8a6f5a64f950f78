/** Steps: verbs that one request brings to a node, executed one after another. */

import type { CallError, CallErrorClass } from "../errors.ts";
import { encodeCanonical } from "../wire/codec.ts";

/** A verb and its arguments. */
export interface Step {
  readonly verb: string;
  readonly args: unknown;
}

/** What became of one step. Steps after a failed one do not run and have no result. */
export type StepResult =
  | { readonly ok: true; readonly value: unknown }
  | {
    readonly ok: false;
    readonly class: CallErrorClass;
    readonly message: string;
    readonly detail?: CallError["detail"];
  };

/** In bytes. A reply that cannot be encoded cannot be sent either; whoever sends it finds that out. */
export function sizeOfReply(reply: StepResult[]): number {
  try {
    return encodeCanonical(reply).length;
  } catch {
    return 0;
  }
}
