/** Prints a benchmark's table as Markdown, so that it can go into the README as it is. */

import { progress } from "./progress.ts";

export type Row = readonly string[];

export interface Budget {
  /** Met while not above it. */
  readonly most?: number;
  /** Met while not below it. */
  readonly least?: number;
  readonly unit: string;
}

export function printTable(header: Row, rows: readonly Row[]): void {
  const widths = header.map((text, column) =>
    Math.max(text.length, ...rows.map((row) => (row[column] ?? "").length))
  );
  const line = (cells: Row) =>
    `| ${
      widths.map((width, column) => {
        const cell = cells[column] ?? "";
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      }).join(" | ")
    } |`;
  const rule = `|${
    widths.map((width, column) => `${"-".repeat(width + 1)}${column ? ":" : "-"}`).join("|")
  }|`;
  print([line(header), rule, ...rows.map(line)].join("\n"));
}

/** A budget, and whether it is met: two cells. */
export function budgetCell(measured: number, budget: Budget): [string, string] {
  const { most, least, unit } = budget;
  const met = (most === undefined || measured <= most) &&
    (least === undefined || measured >= least);
  const limit = most !== undefined ? `at most ${most}` : `at least ${least}`;
  return [`${limit} ${unit}`, met ? "met" : "not met"];
}

export function number(value: number, digits: number): string {
  return value.toFixed(digits);
}

/** One line, or several. */
export function print(text: string): void {
  progress();
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
