/** How commands tell a person which targets of a group operation did not answer, and why. */

import { formatDuration } from "./duration.ts";
import { EXIT, exitCodeOf } from "./exit_code.ts";
import type { FailureSet, GroupResult, NodeFailure } from "./group_result.ts";
import { foldNodeset } from "./nodeset.ts";
import type { Output } from "./output.ts";
import { printable } from "./text.ts";

const WORDS: Readonly<Record<FailureSet, string>> = {
  failed: "failed",
  refused: "refused",
  unreachable: "unreachable",
  timedOut: "timed out",
};

/** Lines for stderr, one for each kind of failure: "n[3-4]: refused: Policy has no rule …". */
export function failureLines(failures: Iterable<NodeFailure>, options: { now: number }): string[] {
  const kinds = new Map<string, string[]>();
  for (const failure of failures) {
    const text = failureText(failure, options.now);
    const names = kinds.get(text);
    if (names === undefined) kinds.set(text, [failure.name]);
    else names.push(failure.name);
  }
  return [...kinds].map(([text, names]) => printable(`${foldNodeset(names)}: ${text}`));
}

/** Prints all that did not answer; the exit code says whether some or all did not, or were not let. */
export function reportFailures(
  result: GroupResult,
  options: { readonly out: Pick<Output, "writeError">; readonly now: number },
): number {
  for (const line of failureLines(result.failures.values(), options)) {
    options.out.writeError(`${line}\n`);
  }
  const { asked, refused } = result.counts;
  return refused === asked ? EXIT.refused : exitCodeOf(asked, result.failures.size);
}

function failureText({ set, reason, ran, at, since, step }: NodeFailure, now: number): string {
  const started = ran === "never" ? "never started" : ran === "maybe" ? "may have run" : "";
  const facts = [
    ...(step === undefined ? [] : [`in step ${step + 1}`]),
    ...(started === "" ? [] : [started]),
    ...(since === undefined ? [] : [`for ${formatDuration(Math.max(0, now - since))}`]),
    ...(at === undefined ? [] : [`lost at "${at}"`]),
  ];
  const more = facts.length === 0 ? "" : ` (${facts.join(", ")})`;
  return `${WORDS[set]}: ${reason}${more}`;
}
