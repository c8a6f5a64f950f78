/**
 * Watches a neighbour to whom targets were passed on. A frozen process keeps its connections for some
 * seconds, longer than an operation may still be started: whoever is silent is asked whether it lives,
 * and who does not answer that either is given up by this operation. Its link is not judged here.
 */

import { CallError, type Clock, type Link, PRIORITY, type Timer } from "../../core/mod.ts";
import { LATE_MS, SUSPECT_MS } from "./limits.ts";

/** Any answer will do. */
const PING_VERB = "core.ping";

export interface SilenceOptions {
  readonly clock: Pick<Clock, "monotonic" | "after">;
  /** The neighbour is silent. Returns whether that is enough, or it is to be asked again. */
  readonly onSilent: () => boolean;
}

/** Until it is disposed. */
export function watchSilence(
  link: Pick<Link, "request" | "heardAt">,
  options: SilenceOptions,
): Disposable {
  const { clock, onSilent } = options;
  let over = false;
  let timer: Timer | undefined;
  const again = () => {
    if (!over) timer = clock.after(SUSPECT_MS, look);
  };
  const look = () => {
    const askedAt = clock.monotonic();
    if (askedAt - link.heardAt < SUSPECT_MS) return again();
    link.request(PING_VERB, undefined, { deadlineMs: SUSPECT_MS, priority: PRIORITY.control }).then(
      again,
      (error: unknown) => {
        // Anything but silence is an answer, or the end of the link, which is told by the call itself.
        const isTimeout = error instanceof CallError && error.class === "timeout";
        // Its answer may lie unread where we ourselves stood still, and other words of it count as well.
        const isLate = clock.monotonic() - askedAt > SUSPECT_MS + LATE_MS;
        const isSilent = isTimeout && !isLate && link.heardAt <= askedAt;
        if (over || (isSilent && onSilent())) return;
        again();
      },
    );
  };
  again();
  return {
    [Symbol.dispose]() {
      over = true;
      timer?.cancel();
    },
  };
}
