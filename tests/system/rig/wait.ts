/** Waiting for what somebody else does, in tests: by looking again, never by guessing a time. */

/** Nothing here is slow, but the machine may be. */
const WAIT_MS_DEFAULT = 60_000;
const POLL_MS = 10;
/**
 * To look may be to start a program, and what is waited for needs the processor too: so many times as
 * long as a look took, nobody looks.
 */
const REST_FACTOR = 2;

/** Resolves once `holds` does; rejects, naming what was waited for, when it never does. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  options: { timeoutMs?: number } = {},
): Promise<void> {
  const timeoutMs = options.timeoutMs ?? WAIT_MS_DEFAULT;
  const end = performance.now() + timeoutMs;
  for (;;) {
    const start = performance.now();
    if (await holds()) return;
    const now = performance.now();
    if (now > end) throw new Error(`Waited ${timeoutMs} ms in vain until ${what}`);
    const restMs = Math.max(POLL_MS, REST_FACTOR * (now - start));
    await new Promise((resolve) => setTimeout(resolve, restMs));
  }
}
