/**
 * Clocks that differ: a certificate that seems not to be valid yet, or no more, is most often one of
 * these. Whoever is refused for it, or refuses, is told by how much.
 */

import { AuthenticationError } from "../errors.ts";
import { CLOCK_SKEW_MS_MAX } from "../limits.ts";

/** Undefined while both clocks are close enough. */
export function clockText(offsetMs: number): string | undefined {
  if (Math.abs(offsetMs) <= CLOCK_SKEW_MS_MAX) return undefined;
  const seconds = Math.round(Math.abs(offsetMs) / 1_000);
  return `${seconds} s ${offsetMs > 0 ? "ahead of" : "behind"}`;
}

/** Runs a check of validity, and adds to its complaint how the clocks (unix ms) differ. */
export function namingClocks<T>(
  { theirs, ours }: { readonly theirs: number; readonly ours: number },
  check: () => T,
): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof AuthenticationError)) throw error;
    const isOfTime = error.reason === "not-yet-valid" || error.reason === "expired";
    const text = isOfTime ? clockText(theirs - ours) : undefined;
    if (text === undefined) throw error;
    throw new AuthenticationError(
      error.reason,
      `${error.message}; the clock of who shows it is ${text} the other one`,
      { cause: error },
    );
  }
}
