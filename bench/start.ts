/** What it costs to start the program, and how large it is. */

import { outputOf, timeProcess } from "./process.ts";
import { Programs } from "./programs.ts";
import { budgetCell, number, printTable, type Row } from "./table.ts";
import { takeTurns } from "./turns.ts";

const ROUNDS = 15;
const VERSION_RATIO_MAX = 1.5;

/** `minime version` against an empty program of the same form. */
export async function start(): Promise<void> {
  await using programs = await Programs.make();
  const rows: Row[] = [];
  for (const { form, argv, empty } of programs.all) {
    const ms = await takeTurns({
      empty: () => timeProcess(empty),
      version: () => timeProcess([...argv, "version"]),
      nodeset: () => timeProcess([...argv, "nodeset", "count", "n[1-4]"]),
    }, { rounds: ROUNDS });
    rows.push([
      form,
      number(ms.empty, 0),
      number(ms.version, 0),
      number(ms.version / ms.empty, 2),
      ...budgetCell(ms.version / ms.empty, { most: VERSION_RATIO_MAX, unit: "x" }),
      number(ms.nodeset, 0),
    ]);
  }
  printTable(
    ["start, ms", "empty program", "minime version", "ratio", "budget", "", "minime nodeset"],
    rows,
  );
}

/** The bytes that lie on a disk, and those that travel. */
export async function size(): Promise<void> {
  await using programs = await Programs.make();
  const path = programs.compiled?.argv[0];
  if (path === undefined) return;
  const [emptyPath = ""] = programs.compiled?.empty ?? [];
  const rows: Row[] = [];
  for (const [name, file] of [["minime", path], ["empty program", emptyPath]] as const) {
    const { size } = await Deno.stat(file);
    const gzipped = await outputOf(["sh", "-c", `gzip -c '${file}' | wc -c`]);
    rows.push([name, number(size / 1e6, 2), number(Number(gzipped) / 1e6, 2)]);
  }
  printTable([`size, MB (${programs.compiled?.form})`, "raw", "gzip"], rows);
}
