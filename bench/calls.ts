/** One question from the command line: the whole process, from start to exit. */

import { LocalMesh } from "./local_mesh.ts";
import { timeProcess } from "./process.ts";
import { Programs } from "./programs.ts";
import { budgetCell, number, printTable, type Row } from "./table.ts";
import { takeTurns } from "./turns.ts";

const ROUNDS = 15;
const CALL_MS_MAX = 32;

export async function call(): Promise<void> {
  await using programs = await Programs.make();
  const rows: Row[] = [];
  for (const program of programs.all) {
    await using mesh = await LocalMesh.boot(program, 2);
    const question = ["call", "-w", "n1", "core.hello"];
    const ms = await takeTurns({
      empty: () => timeProcess(program.empty),
      local: () => mesh.time(question, { local: true }),
      remote: () => mesh.time(question, { local: false }),
    }, { rounds: ROUNDS });
    for (const [way, time] of [["unix socket", ms.local], ["tcp", ms.remote]] as const) {
      rows.push([
        `${way}, ${program.form}`,
        number(ms.empty, 0),
        number(time, 0),
        number(time / ms.empty, 2),
        ...budgetCell(time, { most: CALL_MS_MAX, unit: "ms" }),
      ]);
    }
  }
  printTable(["one call, ms", "empty program", "minime call", "ratio", "budget", ""], rows);
}
