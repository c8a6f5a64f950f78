/** What a daemon takes while nothing happens: memory and CPU, each against an empty program. */

import { LocalMesh } from "./local_mesh.ts";
import { Background, cpuOf, memoryOf } from "./process.ts";
import { type Program, Programs } from "./programs.ts";
import { pause } from "./progress.ts";
import type { Scale, Scaled } from "./scale.ts";
import { budgetCell, number, printTable, type Row } from "./table.ts";
import { median } from "./turns.ts";

/** The second form runs the smallest one alone: what nodes add to a daemon is the same in all forms. */
const NODES = { whole: [16, 64], quick: [2, 3] } as const;
/** Links that the start made too much of are closed half a minute later; then nothing happens. */
const SETTLE_MS: Scaled = { whole: 90_000, quick: 2_000 };
const IDLE_MS: Scaled = { whole: 20_000, quick: 2_000 };
const MEMORY_RATIO_MAX = 1.4;
const CPU_PERCENT_MAX = 0.2;

export async function memory(scale: Scale): Promise<void> {
  await using programs = await Programs.make();
  const rows = await measureAll(programs, scale);
  printTable(
    [
      "idle daemon",
      "empty, MB",
      "minime, MB",
      "ratio",
      "budget",
      "",
      "anonymous, empty",
      "anonymous, minime",
      "CPU, empty",
      "CPU, minime",
      "budget",
      "",
    ],
    rows,
  );
}

/** All meshes beside each other: idle ones do not disturb, and they settle together. */
async function measureAll({ all, bundle }: Programs, scale: Scale): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const measured: { mesh: LocalMesh; program: Program; empty: Background }[] = [];
  for (const program of all) {
    const empty = stack.use(new Background(program.idle));
    const counts = program === bundle ? NODES[scale] : NODES[scale].slice(0, 1);
    for (const count of counts) {
      measured.push({ mesh: stack.use(await LocalMesh.boot(program, count)), program, empty });
    }
  }
  await pause(SETTLE_MS[scale], "Until all are calm");
  return await Promise.all(measured.map((each) => measure(each, IDLE_MS[scale])));
}

async function measure(
  { mesh, program, empty }: {
    readonly mesh: LocalMesh;
    readonly program: Program;
    readonly empty: Background;
  },
  idleMs: number,
): Promise<Row> {
  const pids = await mesh.pids();
  const before = await Promise.all([empty.pid, ...pids].map(cpuOf));
  await pause(idleMs, "Idle");
  const after = await Promise.all([empty.pid, ...pids].map(cpuOf));
  const [emptyCpu = 0, ...cpu] = after.map((seconds, index) =>
    (seconds - (before[index] ?? 0)) * 1_000 / idleMs * 100
  );
  // The mean: a tick of the kernel's clock is coarse for one daemon.
  const meanCpu = cpu.reduce((sum, each) => sum + each, 0) / cpu.length;
  const [emptyMemory, ...memories] = await Promise.all([empty.pid, ...pids].map(memoryOf));
  const { resident = 0, anonymous = 0 } = emptyMemory ?? {};
  const ours = median(memories.map((each) => each.resident));
  return [
    `${mesh.names.length} nodes, ${program.form}`,
    number(resident / 1e6, 0),
    number(ours / 1e6, 0),
    number(ours / resident, 2),
    ...budgetCell(ours / resident, { most: MEMORY_RATIO_MAX, unit: "x" }),
    number(anonymous / 1e6, 0),
    number(median(memories.map((each) => each.anonymous)) / 1e6, 0),
    `${number(emptyCpu, 2)} %`,
    `${number(meanCpu, 2)} %`,
    ...budgetCell(meanCpu, { most: CPU_PERCENT_MAX, unit: "%" }),
  ];
}
