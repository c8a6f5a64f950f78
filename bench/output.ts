/**
 * Output of programs: how fast it comes from one node and from 16, and how much memory client and
 * daemons take while far more of it is written than a slow reader takes.
 */

import { LocalMesh } from "./local_mesh.ts";
import { peakMemoryOf, resetPeakMemory } from "./process.ts";
import { type Program, Programs } from "./programs.ts";
import { progress } from "./progress.ts";
import type { Scale, Scaled } from "./scale.ts";
import { number, print, printTable, type Row } from "./table.ts";
import { median } from "./turns.ts";

const MIB = 1024 * 1024;
const ROUNDS: Scaled = { whole: 3, quick: 1 };
/** Of all nodes together. */
const RATE_BYTES: Scaled = { whole: 256 * MIB, quick: 16 * MIB };
const RATE_NODES = { whole: [1, 16], quick: [1, 2] } as const;
/** Of each node, a small and a large amount: what they take must be the same. */
const MEMORY_BYTES = { whole: [64 * MIB, 1024 * MIB], quick: [16 * MIB, 32 * MIB] } as const;
const LESS_MEMORY_BYTES = { whole: [64 * MIB, 256 * MIB], quick: [16 * MIB] } as const;
const MEMORY_NODES: Scaled = { whole: 4, quick: 2 };
/** What the slow reader lets pass. */
const SLOW_BYTES_PER_SECOND = 64 * MIB;
const LINE = "0123456789".repeat(6);

export async function output(scale: Scale): Promise<void> {
  await using programs = await Programs.make();
  const rates: Row[] = [];
  const memory: Row[] = [];
  for (const program of programs.all) {
    const parts = { program, scale, isFirst: program === programs.bundle };
    rates.push(...await rateRows(parts));
    memory.push(...await memoryRows(parts));
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

/** Of one form; the others are measured less, for comparison only. */
interface Parts {
  readonly program: Program;
  readonly scale: Scale;
  readonly isFirst: boolean;
}

async function rateRows({ program, scale, isFirst }: Parts): Promise<Row[]> {
  await using mesh = await LocalMesh.boot(program, Math.max(...RATE_NODES[scale]));
  const bytes = RATE_BYTES[scale];
  const rounds = isFirst ? ROUNDS[scale] : 1;
  const rows: Row[] = [];
  for (const count of RATE_NODES[scale]) {
    const line = `yes ${LINE} | head -c ${bytes / count}`;
    const rate = async (argv: readonly string[], run: typeof mesh.read) => {
      const rates: number[] = [];
      for (let round = 0; round < rounds; round++) {
        progress(`Output of ${count} nodes, ${program.form}: round ${round + 1}`);
        const start = performance.now();
        await run(argv, () => {});
        rates.push(bytes / 1e6 / ((performance.now() - start) / 1e3));
      }
      return number(median(rates), 0);
    };
    const ours = ["exec", "-n", "-w", `n[1-${count}]`];
    rows.push([
      `${count} nodes, ${program.form}`,
      await rate([...ours, "-s", line], mesh.read),
      await rate([...ours, "-N", "-s", line], mesh.read),
      await rate(["-c", `yes ${LINE} | head -c ${bytes}`], mesh.readShell),
    ]);
  }
  return rows;
}

async function memoryRows({ program, scale, isFirst }: Parts): Promise<Row[]> {
  const rows: Row[] = [];
  const nodes = MEMORY_NODES[scale];
  for (const bytes of (isFirst ? MEMORY_BYTES : LESS_MEMORY_BYTES)[scale]) {
    await using mesh = await LocalMesh.boot(program, nodes);
    const pids = await mesh.pids();
    for (const pid of pids) await resetPeakMemory(pid);
    const peaks = () => Promise.all(pids.map(peakMemoryOf));
    const [entryBefore = 0, ...before] = await peaks();
    let client = 0;
    let total = 0;
    const start = performance.now();
    const args = ["exec", "-n", "-N", "-w", `n[1-${nodes}]`, "head", "-c", `${bytes}`];
    await mesh.read([...args, "/dev/zero"], async (length, pid) => {
      client = Math.max(client, await peakMemoryOf(pid));
      total += length;
      progress(`A slow reader of ${nodes} nodes, ${program.form}: ${number(total / 1e6, 0)} MB`);
      const early = total / SLOW_BYTES_PER_SECOND * 1e3 - (performance.now() - start);
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
    });
    const seconds = (performance.now() - start) / 1e3;
    const [entryAfter = 0, ...after] = await peaks();
    rows.push([
      `${nodes} nodes, ${program.form}`,
      ...[total / 1e6, seconds, client / 1e6, entryBefore / 1e6, entryAfter / 1e6].map((value) =>
        number(value, 0)
      ),
      number(Math.max(...before) / 1e6, 0),
      number(Math.max(...after) / 1e6, 0),
    ]);
  }
  return rows;
}
