/**
 * Shows a person where in a text something is wrong: line and column (both from 1, columns in
 * characters), and the line with a caret under the place. Long lines are shown in part, and nothing
 * in the text can move the terminal's cursor.
 */
import { EXCERPT_COLUMNS_MAX } from "./limits.ts";
import { displayWidth, printable } from "./text.ts";

export type Place = { readonly line: number; readonly column: number };

/** Line and column of an offset in UTF-16 units. */
export function placeOf(text: string, offset: number): Place {
  const at = clamp(text, offset);
  let line = 1;
  let start = 0;
  for (let next = text.indexOf("\n"); next >= 0 && next < at; next = text.indexOf("\n", start)) {
    line++;
    start = next + 1;
  }
  return { line, column: [...text.slice(start, at)].length + 1 };
}

/** Offset of a line and column, both from 1; the column in UTF-16 units. The inverse of placeOf on ASCII. */
export function offsetOf(text: string, place: Place): number {
  let start = 0;
  for (let line = 1; line < place.line; line++) {
    const next = text.indexOf("\n", start);
    if (next < 0) break;
    start = next + 1;
  }
  return clamp(text, start + place.column - 1);
}

/** The line around `offset` and a caret below, two lines; with its number in front when `numbered`. */
export function excerpt(
  text: string,
  offset: number,
  options: { numbered?: boolean } = {},
): string {
  const at = clamp(text, offset);
  const start = text.lastIndexOf("\n", at - 1) + 1;
  const found = text.indexOf("\n", at);
  const end = found < 0 ? text.length : found;
  // A window around the place: two thirds of what fits stand before it.
  const from = Math.max(
    start,
    Math.min(at - EXCERPT_COLUMNS_MAX * 2 / 3, end - EXCERPT_COLUMNS_MAX),
  );
  const first = Math.floor(from);
  const last = Math.min(end, first + EXCERPT_COLUMNS_MAX);
  const before = (first > start ? "…" : "") + printable(text.slice(first, at));
  const after = printable(text.slice(at, last).replace(/\r$/, "")) + (last < end ? "…" : "");
  const caret = " ".repeat(displayWidth(before)) + "^";
  if (!options.numbered) return `    ${before}${after}\n    ${caret}`;
  const number = String(placeOf(text, at).line).padStart(5);
  return `${number} | ${before}${after}\n${" ".repeat(number.length)} | ${caret}`;
}

function clamp(text: string, offset: number): number {
  return Math.min(Math.max(0, offset), text.length);
}
