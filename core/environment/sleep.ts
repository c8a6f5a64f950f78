/** Sleeping as every clock does it: one timer, which the signal ends. */

import type { Clock } from "./environment.ts";

/** @see Clock.sleep */
export function sleepBy(
  clock: Pick<Clock, "after">,
  ms: number,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const aborted = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(ms, () => {
      signal?.removeEventListener("abort", aborted);
      resolve();
    });
    signal?.addEventListener("abort", aborted, { once: true });
  });
}
