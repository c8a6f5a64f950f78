/** Waiting for what somebody else does, in tests: by looking again, never by guessing a time. */

/** Nothing here is slow, but the machine may be. */
const WAIT_MS_DEFAULT = 60_000;
const POLL_MS = 10;

/** Resolves once `holds` does; rejects, naming what was waited for, when it never does. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  options: { timeoutMs?: number } = {},
): Promise<void> {
  const timeoutMs = options.timeoutMs ?? WAIT_MS_DEFAULT;
  const end = performance.now() + timeoutMs;
  while (!await holds()) {
    if (performance.now() > end) throw new Error(`Waited ${timeoutMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
