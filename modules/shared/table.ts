/**
 * Plain text tables for people; the same input gives the same bytes. Cells
 * may come from other machines, so whatever could move a terminal's cursor is made harmless. There
 * are no colours in here: `style` may wrap a cell after its width is settled.
 */
import { CELL_CHARACTERS_MAX } from "./limits.ts";
import { displayWidth, padText, printable, truncateText } from "./text.ts";

export type Column = {
  readonly header: string;
  /** @default "left" */
  readonly align?: "left" | "right";
  /** Left out where a line would not fit otherwise, the rightmost such column first. */
  readonly spare?: boolean;
};

export type TableOptions = {
  /**
   * Columns of the terminal. What is spare gives way first, then the widest cells are cut until a
   * line fits. @default no limit
   */
  readonly width?: number | undefined;
  /** Wraps a finished cell, for colours; row -1 is the header. Must not change its width. */
  readonly style?: ((text: string, row: number, column: number) => string) | undefined;
};

/** Spaces between two columns. */
const GAP = 2;
/** A column is not cut below this while another one can still give way. */
const NARROWEST = 6;

/** Lines that each end in "\n": the header, then one for each row. A missing cell is empty. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string {
  const header = columns.map((column) => printable(column.header, CELL_CHARACTERS_MAX));
  const cells = [header, ...rows.map((row) => columns.map((_, i) => cell(row[i])))];
  const natural = columns.map((_, i) => maximum(cells.map((row) => displayWidth(row[i] ?? ""))));
  const { shown, widths } = fit(columns, natural, options.width ?? Infinity);
  const lines = cells.map((row, r) =>
    shown.map((c, position) => {
      const column = columns[c] as Column;
      const text = truncateText(row[c] ?? "", widths[c] ?? 0);
      const isLast = position === shown.length - 1;
      const padded = padText(
        text,
        isLast && column.align !== "right" ? 0 : widths[c] ?? 0,
        column.align,
      );
      return options.style === undefined ? padded : options.style(padded, r - 1, c);
    }).join(" ".repeat(GAP)).trimEnd() + "\n"
  );
  return lines.join("");
}

function cell(text: string | undefined): string {
  return printable(text ?? "", CELL_CHARACTERS_MAX);
}

/** Which columns a line of this width shows, and the width of each. */
function fit(
  columns: readonly Column[],
  natural: readonly number[],
  width: number,
): { shown: readonly number[]; widths: readonly number[] } {
  const shown = columns.map((_, index) => index);
  while (excessOf(shown.map((index) => natural[index] ?? 0), width) > 0) {
    const spare = shown.findLastIndex((index) => columns[index]?.spare === true);
    if (spare < 0) break;
    shown.splice(spare, 1);
  }
  const kept = shown.map((index) => natural[index] ?? 0);
  shrink(kept, width);
  const widths = [...natural];
  shown.forEach((index, position) => widths[index] = kept[position] ?? 0);
  return { shown, widths };
}

function excessOf(widths: readonly number[], width: number): number {
  const gaps = GAP * Math.max(0, widths.length - 1);
  return widths.reduce((sum, each) => sum + each, gaps) - width;
}

/** Takes from the widest column until a line fits; equal ones share, the rightmost first. */
function shrink(widths: number[], width: number): void {
  let excess = excessOf(widths, width);
  for (const floor of [NARROWEST, 1]) {
    while (excess > 0) {
      const widest = maximum(widths);
      if (widest <= floor) break;
      const column = widths.lastIndexOf(widest);
      // Down to the next widest in one step, so that a cell of thousands costs no thousand rounds.
      const next = maximum(widths.filter((each) => each < widest));
      const share = Math.ceil(excess / widths.filter((each) => each === widest).length);
      const taken = Math.min(share, widest - Math.max(next, floor));
      widths[column] = widest - taken;
      excess -= taken;
    }
  }
}

/** Math.max without a limit on how many; 0 for none. */
function maximum(numbers: readonly number[]): number {
  return numbers.reduce((most, each) => Math.max(most, each), 0);
}
