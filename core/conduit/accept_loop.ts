/** Accepts pipes until the listener is closed; an error in between (too many files) is waited out. */

import type { BytePipe, Clock, PipeListener } from "../environment/environment.ts";
import { errorText } from "../errors.ts";
import { ACCEPT_RETRY_MS } from "../limits.ts";
import type { Log } from "../log.ts";

/** Resolves once the listener was closed. */
export async function acceptLoop(
  options: { readonly listener: PipeListener; readonly clock: Clock; readonly log: Log },
  take: (pipe: BytePipe) => void,
): Promise<void> {
  const { listener, clock, log } = options;
  while (!listener.closed) {
    try {
      take(await listener.accept());
    } catch (error) {
      if (listener.closed) return;
      log("warning", `Cannot accept a connection: ${errorText(error)}`);
      await clock.sleep(ACCEPT_RETRY_MS);
    }
  }
}
