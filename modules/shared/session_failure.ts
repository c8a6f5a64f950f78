/** What became of a node with which a session was wanted, in the words of a group operation's account. */

import {
  AuthenticationError,
  CallError,
  ConnectionError,
  errorText,
  type MinimeError,
} from "../../core/mod.ts";
import type { NodeFailure } from "./group_result.ts";

/** From what the session, or the call in it, failed with. */
export function failureOf(name: string, error: MinimeError): NodeFailure {
  const reason = errorText(error);
  if (error instanceof ConnectionError) return { name, set: "unreachable", reason, ran: "never" };
  if (error instanceof AuthenticationError) return { name, set: "refused", reason };
  if (!(error instanceof CallError)) return { name, set: "failed", reason };
  switch (error.class) {
    case "refused":
      return { name, set: "refused", reason };
    case "unreachable":
      return { name, set: "unreachable", reason, ran: "maybe" };
    case "timeout":
      return { name, set: "timedOut", reason, ran: "maybe" };
    default:
      return { name, set: "failed", reason };
  }
}
