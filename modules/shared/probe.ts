/** Asks from outside whether somebody listens somewhere: connects, and hangs up at once. */

import {
  type Address,
  ConnectionError,
  type ConnectionReason,
  type Environment,
  withTimeLimit,
} from "../../core/mod.ts";

/** "open", or why there was no connection. Rejects with the signal's reason. */
export async function probe(
  { clock, network }: Pick<Environment, "clock" | "network">,
  address: Address,
  options: { readonly ms: number; readonly signal: AbortSignal },
): Promise<"open" | ConnectionReason> {
  const late = () => new ConnectionError("timeout", `No answer within ${options.ms} ms`);
  try {
    const dial = (signal: AbortSignal) => network.dial(address, { signal });
    (await withTimeLimit(dial, { ...options, clock, late })).close();
    return "open";
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof ConnectionError) return error.reason;
    throw error;
  }
}
