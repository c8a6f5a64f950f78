/**
 * Collected output, folded: nodes with equal output and status together, the largest set first. As
 * blocks with a header, or as differences from the largest set.
 */

import { Fold, type FoldGroup } from "../shared/fold.ts";
import type { Output } from "../shared/output.ts";
import { diffLines } from "./diff.ts";
import { endText, type Outcome } from "./outcome.ts";
import type { RunEnd } from "./order.ts";

const RULE = "-".repeat(15);
const NOTHING = new Uint8Array(0);

type Sink = Pick<Output, "write" | "writeError" | "warn">;

/** Blocks as `clush -b` prints them; stderr of the programs goes to stderr, with its nodes. */
export function printFolded(out: Sink, outcome: Outcome): void {
  for (const group of groupsOf(outcome)) {
    const { value: { stdout = NOTHING, stderr = NOTHING } } = group;
    printErrors(out, group.nodeset, stderr);
    // What wrote to stderr only is in the table of who failed, or went well.
    if (stdout.length === 0 && stderr.length > 0) continue;
    out.write(`${RULE}\n${headerOf(group)}\n${RULE}\n`);
    out.write(stdout);
    if (stdout.length > 0 && stdout.at(-1) !== 0x0a) out.write("\n");
  }
  warnOfCuts(out, outcome);
}

/** What the others print differently from the largest set, whose nodes are named first. */
export function printDifferences(out: Sink, outcome: Outcome): void {
  const [reference, ...others] = groupsOf(outcome);
  if (reference === undefined) return;
  const decoder = new TextDecoder();
  const lines = ({ value: { stdout = NOTHING } }: FoldGroup<RunEnd>) =>
    decoder.decode(stdout).split("\n");
  for (const other of others) {
    const text = diffLines(lines(reference), lines(other));
    if (text === "") continue;
    out.write(`--- ${headerOf(reference)}\n+++ ${headerOf(other)}\n${text}`);
  }
  for (const { nodeset, value } of [reference, ...others]) {
    printErrors(out, nodeset, value.stderr ?? NOTHING);
  }
  warnOfCuts(out, outcome);
}

function groupsOf({ ends }: Outcome): FoldGroup<RunEnd>[] {
  const fold = new Fold<RunEnd>();
  for (const [name, end] of ends) fold.add(name, end);
  return fold.groups();
}

function headerOf({ nodeset, names, value }: FoldGroup<RunEnd>): string {
  const count = names.length === 1 ? "" : ` (${names.length})`;
  const how = endText(value);
  return `${nodeset}${count}${how === undefined ? "" : `: ${how}`}`;
}

function printErrors(out: Pick<Output, "writeError">, nodeset: string, bytes: Uint8Array): void {
  const text = new TextDecoder().decode(bytes);
  for (const line of text.split("\n")) if (line !== "") out.writeError(`${nodeset}: ${line}\n`);
}

function warnOfCuts(out: Pick<Output, "warn">, { ends }: Outcome): void {
  const cuts = new Fold<number>();
  for (const [name, { cutBytes }] of ends) if (cutBytes !== undefined) cuts.add(name, cutBytes);
  for (const { nodeset, value } of cuts.groups()) {
    out.warn(`${nodeset}: ${value} bytes of output were cut off; --outdir keeps all of it`);
  }
}
