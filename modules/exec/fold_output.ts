/**
 * Collected output, folded: nodes with equal output and status together, the largest set first. As
 * blocks with a header, or as differences from the largest set.
 */

import { Fold, type FoldGroup } from "../shared/fold.ts";
import type { Output } from "../shared/output.ts";
import { diffTexts } from "./diff.ts";
import { endText, type Outcome } from "./outcome.ts";
import type { RunEnd } from "./order.ts";

const RULE = "-".repeat(15);
const NOTHING = new Uint8Array(0);

type Sink = Pick<Output, "write" | "writeError" | "warn">;

/** Blocks as `clush -b` prints them; stderr of the programs goes to stderr, with its nodes. */
export function printFolded(out: Sink, outcome: Outcome): void {
  for (const group of groupsBy(outcome, (end) => end)) {
    const { value: { stdout = NOTHING, stderr = NOTHING } } = group;
    printErrors(out, group.nodeset, stderr);
    // What wrote to stderr only is in the table of who failed, or went well.
    if (stdout.length === 0 && stderr.length > 0) continue;
    out.write(`${RULE}\n${headerOf(group, endText(group.value))}\n${RULE}\n`);
    out.write(stdout);
    if (stdout.length > 0 && stdout.at(-1) !== 0x0a) out.write("\n");
  }
  warnOfCuts(out, outcome);
}

/**
 * What the others print to stdout differently from the largest set, whose nodes are named first. How
 * they ended is in the table of who failed.
 */
export function printDifferences(out: Sink, outcome: Outcome): void {
  const [reference, ...others] = groupsBy(outcome, ({ stdout = NOTHING }) => stdout);
  if (reference === undefined) return;
  const text = textOf(reference.value);
  for (const other of others) {
    out.write(`--- ${headerOf(reference)}\n+++ ${headerOf(other)}\n`);
    out.write(bytesOf(diffTexts(text, textOf(other.value))));
  }
  for (const { nodeset, value } of groupsBy(outcome, ({ stderr = NOTHING }) => stderr)) {
    printErrors(out, nodeset, value);
  }
  warnOfCuts(out, outcome);
}

function groupsBy<Value>({ ends }: Outcome, valueOf: (end: RunEnd) => Value): FoldGroup<Value>[] {
  const fold = new Fold<Value>();
  for (const [name, end] of ends) fold.add(name, valueOf(end));
  return fold.groups();
}

function headerOf({ nodeset, names }: FoldGroup<unknown>, how?: string): string {
  const count = names.length === 1 ? "" : ` (${names.length})`;
  return `${nodeset}${count}${how === undefined ? "" : `: ${how}`}`;
}

/** Whole lines, byte by byte; empty ones are left out. */
function printErrors(out: Pick<Output, "writeError">, nodeset: string, bytes: Uint8Array): void {
  for (const line of textOf(bytes).split("\n")) {
    if (line === "") continue;
    out.writeError(`${nodeset}: `);
    out.writeError(bytesOf(`${line}\n`));
  }
}

/** A character for each byte: what is no UTF-8 is compared and shown as it is. */
function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function warnOfCuts(out: Pick<Output, "warn">, { ends }: Outcome): void {
  const cuts = new Fold<number>();
  for (const [name, { cutBytes }] of ends) if (cutBytes !== undefined) cuts.add(name, cutBytes);
  for (const { nodeset, value } of cuts.groups()) {
    out.warn(`${nodeset}: ${value} bytes of output were cut off; --outdir keeps all of it`);
  }
}
