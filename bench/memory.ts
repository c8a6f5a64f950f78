/** What a daemon takes while nothing happens: memory and CPU, each against an empty program. */

import { LocalMesh } from "./local_mesh.ts";
import { Background, cpuOf, memoryOf } from "./process.ts";
import { type Program, Programs } from "./programs.ts";
import { budgetCell, number, printTable, type Row } from "./table.ts";
import { median } from "./turns.ts";

const NODES = [16, 64];
/** Links that the start made too much of are closed half a minute later; then nothing happens. */
const SETTLE_MS = 90_000;
const IDLE_MS = 20_000;
const MEMORY_RATIO_MAX = 1.4;
const CPU_PERCENT_MAX = 0.2;

export async function memory(): Promise<void> {
  await using programs = await Programs.make();
  const rows: Row[] = [];
  for (const program of programs.all) rows.push(...await measureAll(program));
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

/** All its meshes beside each other: idle ones do not disturb, and they settle together. */
async function measureAll(program: Program): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const meshes: LocalMesh[] = [];
  for (const count of NODES) meshes.push(stack.use(await LocalMesh.boot(program, count)));
  const empty = stack.use(new Background(program.idle));
  await pause(SETTLE_MS);
  return await Promise.all(meshes.map((mesh) => measure(mesh, { program, empty })));
}

async function measure(
  mesh: LocalMesh,
  { program, empty }: { readonly program: Program; readonly empty: Background },
): Promise<Row> {
  const pids = await mesh.pids();
  const before = await Promise.all([empty.pid, ...pids].map(cpuOf));
  await pause(IDLE_MS);
  const after = await Promise.all([empty.pid, ...pids].map(cpuOf));
  const [emptyCpu = 0, ...cpu] = after.map((seconds, index) =>
    (seconds - (before[index] ?? 0)) * 1_000 / IDLE_MS * 100
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

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
