/**
 * Output of programs: how fast it comes from one node and from 16, and how much memory client and
 * daemons take while far more of it is written than a slow reader takes.
 */

import { LocalMesh } from "./local_mesh.ts";
import { peakMemoryOf, resetPeakMemory } from "./process.ts";
import { type Program, Programs } from "./programs.ts";
import { number, print, printTable, type Row } from "./table.ts";
import { median } from "./turns.ts";

const MIB = 1024 * 1024;
const ROUNDS = 3;
/** Of all nodes together. */
const RATE_BYTES = 256 * MIB;
const RATE_NODES = [1, 16];
/** Of each node, a small and a large amount: what they take must be the same. */
const MEMORY_BYTES = [64 * MIB, 1024 * MIB];
const MEMORY_NODES = 4;
/** What the slow reader lets pass. */
const SLOW_BYTES_PER_SECOND = 64 * MIB;
const LINE = "0123456789".repeat(6);

export async function output(): Promise<void> {
  await using programs = await Programs.make();
  const rates: Row[] = [];
  const memory: Row[] = [];
  for (const program of programs.all) {
    rates.push(...await rateRows(program));
    memory.push(...await memoryRows(program));
  }
  printTable(["output, MB/s", "labelled lines", "bare", "one pipe of the kernel"], rates);
  print("");
  printTable(
    [
      "peak memory, MB, slow reader",
      "written, MB",
      "s",
      "client",
      "entry daemon, before",
      "after",
      "other daemons, before",
      "after",
    ],
    memory,
  );
}

async function rateRows(program: Program): Promise<Row[]> {
  await using mesh = await LocalMesh.boot(program, Math.max(...RATE_NODES));
  const rows: Row[] = [];
  for (const count of RATE_NODES) {
    const line = `yes ${LINE} | head -c ${RATE_BYTES / count}`;
    const rate = async (argv: readonly string[], run: typeof mesh.read) => {
      const rates: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const start = performance.now();
        await run(argv, () => {});
        rates.push(RATE_BYTES / 1e6 / ((performance.now() - start) / 1e3));
      }
      return number(median(rates), 0);
    };
    const ours = ["exec", "-n", "-w", `n[1-${count}]`];
    rows.push([
      `${count} nodes, ${program.form}`,
      await rate([...ours, "-s", line], mesh.read),
      await rate([...ours, "-N", "-s", line], mesh.read),
      await rate(["-c", `yes ${LINE} | head -c ${RATE_BYTES}`], mesh.readShell),
    ]);
  }
  return rows;
}

async function memoryRows(program: Program): Promise<Row[]> {
  const rows: Row[] = [];
  for (const bytes of MEMORY_BYTES) {
    await using mesh = await LocalMesh.boot(program, MEMORY_NODES);
    const pids = await mesh.pids();
    for (const pid of pids) await resetPeakMemory(pid);
    const peaks = () => Promise.all(pids.map(peakMemoryOf));
    const [entryBefore = 0, ...before] = await peaks();
    let client = 0;
    let total = 0;
    const start = performance.now();
    const args = ["exec", "-n", "-N", "-w", `n[1-${MEMORY_NODES}]`, "head", "-c", `${bytes}`];
    await mesh.read([...args, "/dev/zero"], async (length, pid) => {
      client = Math.max(client, await peakMemoryOf(pid));
      total += length;
      const early = total / SLOW_BYTES_PER_SECOND * 1e3 - (performance.now() - start);
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
    });
    const seconds = (performance.now() - start) / 1e3;
    const [entryAfter = 0, ...after] = await peaks();
    rows.push([
      `${MEMORY_NODES} nodes, ${program.form}`,
      ...[total / 1e6, seconds, client / 1e6, entryBefore / 1e6, entryAfter / 1e6].map((value) =>
        number(value, 0)
      ),
      number(Math.max(...before) / 1e6, 0),
      number(Math.max(...after) / 1e6, 0),
    ]);
  }
  return rows;
}
