/** What is to be said of the targets of a relay that did not account for them. */

import { CallError, errorText, ProtocolError } from "../../core/mod.ts";
import type { Detail } from "./partial.ts";

/** By what its call failed with. */
export function relayLoss(error: unknown, at: string): Pick<Detail, "reason" | "ran"> {
  const text = errorText(error);
  if (error instanceof ProtocolError) {
    return { reason: `Account from relay "${at}" is wrong: ${text}`, ran: "maybe" };
  }
  if (error instanceof CallError && error.class === "unreachable") {
    return { reason: `Lost at "${at}": ${text}`, ran: "maybe" };
  }
  if (error instanceof CallError && error.class === "failed") {
    return { reason: `Relay "${at}" gave it up: ${text}`, ran: "maybe" };
  }
  return { reason: `Relay "${at}" did not take it: ${text}`, ran: "never" };
}
