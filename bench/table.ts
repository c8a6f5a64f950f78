/** Prints a benchmark's table as Markdown, so that it can go into the README as it is. */

export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((text, column) =>
    Math.max(text.length, ...rows.map((row) => (row[column] ?? "").length))
  );
  const line = (cells: readonly string[]) =>
    `| ${
      widths.map((width, column) => {
        const cell = cells[column] ?? "";
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      }).join(" | ")
    } |`;
  const rule = `|${
    widths.map((width, column) => `${"-".repeat(width + 1)}${column ? ":" : "-"}`).join("|")
  }|`;
  const text = [line(header), rule, ...rows.map(line)].join("\n");
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
