/** How commands tell a person which targets of a group operation did not answer, and why. */

import { formatDuration } from "./duration.ts";
import { EXIT, exitCodeOf } from "./exit_code.ts";
import type { FailureSet, GroupCounts, NodeFailure } from "./group_result.ts";
import { compareNames } from "./names.ts";
import { foldNodeset } from "./nodeset.ts";
import type { Output } from "./output.ts";
import { printable } from "./text.ts";

const WORDS: Readonly<Record<FailureSet, string>> = {
  failed: "failed",
  refused: "refused",
  unreachable: "unreachable",
  timedOut: "timed out",
};

/** In a reason, instead of the name of the node that says it; no name has such characters. */
const OWN_NAME = '"\0"';

/** Lines for stderr, one for each kind of failure: "n[3-4]: refused: Policy has no rule …". */
export function failureLines(failures: Iterable<NodeFailure>, options: { now: number }): string[] {
  return linesByNode(failures, (failure) => failureText(failure, options.now));
}

/**
 * Nodes for which the same is to be said share a line, also where each says its own name; by name.
 * What has no text is left out.
 */
export function linesByNode<T extends { readonly name: string }>(
  all: Iterable<T>,
  textOf: (one: T) => string | undefined,
): string[] {
  const said = [...all].sort((a, b) => compareNames(a.name, b.name)).flatMap((one) => {
    const text = textOf(one);
    return text === undefined ? [] : [{ name: one.name, text }];
  });
  const times = Map.groupBy(said, ({ text }) => text);
  const kinds = Map.groupBy(said, ({ name, text }) => {
    // What others say in the very same words is not about who says it.
    const isOwn = times.get(text)?.length === 1;
    return isOwn ? text.replaceAll(`"${name}"`, OWN_NAME) : text;
  });
  return [...kinds].map(([text, sayers]) => {
    const nodes = foldNodeset(sayers.map(({ name }) => name));
    return printable(`${nodes}: ${text.replaceAll(OWN_NAME, `"${nodes}"`)}`);
  });
}

/** Prints all that did not answer; the exit code says whether some or all did not, or were not let. */
export function reportFailures(
  result: {
    readonly failures: ReadonlyMap<string, NodeFailure>;
    readonly counts: Pick<GroupCounts, "asked" | "refused">;
  },
  options: { readonly out: Pick<Output, "writeError">; readonly now: number },
): number {
  for (const line of failureLines(result.failures.values(), options)) {
    options.out.writeError(`${line}\n`);
  }
  const { asked, refused } = result.counts;
  return refused === asked ? EXIT.refused : exitCodeOf(asked, result.failures.size);
}

function failureText({ set, reason, ran, at, since, step }: NodeFailure, now: number): string {
  const result = ran === "never" ? "nothing was run" : ran === "maybe" ? "may have run" : "";
  const facts = [
    ...(step === undefined ? [] : [`in step ${step + 1}`]),
    ...(since === undefined ? [] : [`for ${formatDuration(Math.max(0, now - since))}`]),
    ...(at === undefined ? [] : [`lost at "${at}"`]),
    ...(result === "" ? [] : [result]),
  ];
  const more = facts.length === 0 ? "" : ` (${facts.join(", ")})`;
  return `${WORDS[set]}: ${reason}${more}`;
}
