/**
 * The end of the process. A program that stops because of ^C ends by that very signal and not just
 * with its number: a shell ends its own loop only if it sees that the signal was what ended us.
 */

/** What this process was sent while somebody listened. */
export const receivedSignals: Set<string> = new Set();

/** By exit code: 128 and the signal's number. */
const SIGNALS: ReadonlyMap<number, Deno.Signal> = new Map([
  [129, "SIGHUP"],
  [130, "SIGINT"],
  [143, "SIGTERM"],
]);

/** The signal may reach another thread first, and end us a moment later; this is long after. */
const SIGNAL_MS_MAX = 1_000;

/**
 * Ends this process with a code, or by the signal that the code stands for, if that was sent to us. It
 * may stand for what ended somebody else: a program on a node.
 */
export async function endProcess(code: number): Promise<never> {
  const signal = SIGNALS.get(code);
  if (signal !== undefined && receivedSignals.has(signal)) {
    Deno.kill(Deno.pid, signal);
    await new Promise((resolve) => setTimeout(resolve, SIGNAL_MS_MAX));
  }
  Deno.exit(code);
}
