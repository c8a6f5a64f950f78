/**
 * Dials one node: the nearest of its endpoints first, the next one as soon as one has failed or has not
 * answered for a while. What is sent to an address that leads nowhere comes to nothing only after
 * seconds, and the node may well be there at the next one. As in RFC 8305, section 5.
 */

import { type Clock, ConnectionError, FirstSignal, type Network } from "../../core/mod.ts";
import { nearestFirst } from "./nearest_endpoints.ts";

/** An endpoint that has not answered after this long is not waited for alone. */
const NEXT_ENDPOINT_MS = 250;

export interface EndpointDial<T> {
  readonly clock: Pick<Clock, "after">;
  readonly network: Pick<Network, "addresses">;
  readonly signal: AbortSignal;
  /** Rejects soon once its signal is aborted. What comes up late, when another has won, is its own. */
  readonly dial: (endpoint: string, signal: AbortSignal) => Promise<T>;
  readonly onFailure: (endpoint: string, error: unknown) => void;
}

/** The first that succeeds. Rejects with the last failure, or with the signal's reason. */
export async function dialEndpoints<T>(
  endpoints: readonly string[],
  { clock, network, signal, dial, onFailure }: EndpointDial<T>,
): Promise<T> {
  const over = new AbortController();
  using ending = new FirstSignal(signal, over.signal);
  let failure: unknown = new ConnectionError("other", "It has no endpoint");
  let result: { readonly value: T } | undefined;
  const attempt = async (endpoint: string) => {
    try {
      const value = await dial(endpoint, ending.signal);
      result ??= { value };
    } catch (error) {
      if (ending.signal.aborted) return;
      failure = error;
      onFailure(endpoint, error);
    }
  };
  const isOver = () => result !== undefined || signal.aborted;
  const open = new Set<Promise<void>>();
  const nearest = nearestFirst(endpoints, network);
  for (const [index, endpoint] of nearest.entries()) {
    const dialling = attempt(endpoint).finally(() => open.delete(dialling));
    open.add(dialling);
    if (index === nearest.length - 1) break;
    const { promise: patience, resolve } = Promise.withResolvers<void>();
    const headStart = clock.after(NEXT_ENDPOINT_MS, resolve);
    await Promise.race([...open, patience]);
    headStart.cancel();
    if (isOver()) break;
  }
  while (!isOver() && open.size > 0) await Promise.race(open);
  if (result === undefined) {
    signal.throwIfAborted();
    throw failure;
  }
  over.abort(new ConnectionError("closed", "Another endpoint was faster"));
  return result.value;
}
