/**
 * The difference of two texts line by line, as `diff -u` prints it: hunks with three lines around each
 * change, and a word where the last line has no end. By the longest common subsequence; where that
 * would cost too much, what differs is shown as one change.
 */

import { DIFF_CELLS_MAX } from "./limits.ts";

const CONTEXT = 3;

/** As diff(1) says it, and patch(1) reads it. */
const NO_END = "\n\\ No newline at end of file\n";

/** Kept, taken away, or added. */
type Edit = readonly [sign: " " | "-" | "+", line: string];

/** Empty when they are equal. */
export function diffTexts(a: string, b: string): string {
  const edits = editsOf(linesOf(a), linesOf(b));
  const changed = edits.flatMap(([sign], at) => sign === " " ? [] : [at]);
  let text = "";
  for (let i = 0; i < changed.length;) {
    const first = changed[i] as number;
    let last = first;
    while (++i < changed.length && (changed[i] as number) - last <= 2 * CONTEXT) {
      last = changed[i] as number;
    }
    text += hunk(edits, Math.max(0, first - CONTEXT), Math.min(edits.length, last + CONTEXT + 1));
  }
  return text;
}

/** Each with its line feed, which the last one may lack. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+/g) ?? [];
}

function hunk(edits: readonly Edit[], start: number, end: number): string {
  const count = (part: readonly Edit[], sign: "-" | "+") =>
    part.filter(([each]) => each === " " || each === sign).length;
  const before = edits.slice(0, start);
  const part = edits.slice(start, end);
  const range = (sign: "-" | "+") =>
    `${sign}${count(before, sign) + (count(part, sign) > 0 ? 1 : 0)},${count(part, sign)}`;
  const lines = part.map(([sign, line]) => `${sign}${line}${line.endsWith("\n") ? "" : NO_END}`)
    .join("");
  return `@@ ${range("-")} ${range("+")} @@\n${lines}`;
}

function editsOf(a: readonly string[], b: readonly string[]): Edit[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  const most = Math.min(a.length, b.length) - start;
  while (end < most && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const middle = middleOf(a.slice(start, a.length - end), b.slice(start, b.length - end));
  return [...kept(a.slice(0, start)), ...middle, ...kept(a.slice(a.length - end))];
}

function kept(lines: readonly string[]): Edit[] {
  return lines.map((line) => [" ", line]);
}

function middleOf(a: readonly string[], b: readonly string[]): Edit[] {
  const taken = a.map((line): Edit => ["-", line]);
  const added = b.map((line): Edit => ["+", line]);
  if ((a.length + 1) * (b.length + 1) > DIFF_CELLS_MAX) return [...taken, ...added];
  // common[i][j]: length of the longest common subsequence of a from i and b from j.
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] as number;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] = a[i] === b[j]
        ? at(i + 1, j + 1) + 1
        : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const edits: Edit[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      edits.push([" ", a[i++] as string]);
      j++;
    } else if (at(i + 1, j) >= at(i, j + 1)) edits.push(taken[i++] as Edit);
    else edits.push(added[j++] as Edit);
  }
  return [...edits, ...taken.slice(i), ...added.slice(j)];
}
