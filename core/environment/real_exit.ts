/**
 * The end of the process. A program that stops because of ^C ends by that very signal and not just
 * with its number: a shell ends its own loop only if it sees that the signal was what ended us.
 */

/** By exit code: 128 and the signal's number. */
const SIGNALS: ReadonlyMap<number, Deno.Signal> = new Map([
  [129, "SIGHUP"],
  [130, "SIGINT"],
  [143, "SIGTERM"],
]);

/** Ends this process with a code, or by the signal that the code stands for. */
export function endProcess(code: number): never {
  const signal = SIGNALS.get(code);
  if (signal !== undefined) Deno.kill(Deno.pid, signal);
  Deno.exit(code);
}
