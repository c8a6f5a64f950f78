/**
 * Watches somebody at the other end of a conduit who owes us something. A frozen process, or a cable
 * that was cut, keeps its connection for long: whoever is silent is asked whether it lives, and who does
 * not answer that either is silent indeed. The conduit is not judged here. Time in which we ourselves
 * stood still counts for nobody.
 */

import { type Caller, CallError, type Clock, PRIORITY, type Timer } from "../../core/mod.ts";
import { LATE_MS } from "./limits.ts";

/** Any answer will do. */
const PING_VERB = "core.ping";

export interface SilenceOptions {
  readonly clock: Pick<Clock, "monotonic" | "after">;
  /** Asks it. */
  readonly caller: Pick<Caller, "request">;
  /** Monotonic ms: when it was heard last, answers to our question aside. */
  readonly heardAt: () => number;
  /** How long it may say nothing until it is asked, and again until it answers. */
  readonly silentMs: number;
  /** It is silent. Returns whether that is enough, or it is to be watched on. */
  readonly onSilent: () => boolean;
}

/** Until it is disposed. */
export function watchSilence(options: SilenceOptions): Disposable {
  const { clock, caller, heardAt, silentMs, onSilent } = options;
  let over = false;
  let timer: Timer | undefined;
  let answeredAt = clock.monotonic();
  const leftMs = () => Math.max(heardAt(), answeredAt) + silentMs - clock.monotonic();
  const watch = () => {
    if (!over) timer = clock.after(Math.max(0, leftMs()), look);
  };
  const answered = () => {
    answeredAt = clock.monotonic();
    watch();
  };
  const look = () => {
    if (leftMs() > 0) return watch();
    const askedAt = clock.monotonic();
    caller.request(PING_VERB, {}, { deadlineMs: silentMs, priority: PRIORITY.control }).then(
      answered,
      (error: unknown) => {
        // Anything but silence is an answer, or the end of the conduit, which is told by itself.
        const isTimeout = error instanceof CallError && error.class === "timeout";
        // Its answer may lie unread where we ourselves stood still, and other words of it count as well.
        const isLate = clock.monotonic() - askedAt > silentMs + LATE_MS;
        const isSilent = isTimeout && !isLate && heardAt() <= askedAt;
        if (over || (isSilent && onSilent())) return;
        answered();
      },
    );
  };
  watch();
  return {
    [Symbol.dispose]() {
      over = true;
      timer?.cancel();
    },
  };
}
