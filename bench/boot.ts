/** Boot over ssh: with the program in place against pdsh `true`, and cold behind a thin line. */

import { throttled } from "../tests/system/rig/mod.ts";
import type { Rig } from "../tests/system/rig/mod.ts";
import { ensureBinary } from "../tools/binary.ts";
import { installPeers, startHosts, timeOnOrigin } from "./remote_hosts.ts";
import { budgetCell, number, print, printTable, type Row } from "./table.ts";
import { takeTurns } from "./turns.ts";

const HOSTS = 16;
const ROUNDS = 3;
const BOOT_RATIO_MAX = 1.15;
const COLD_HOSTS = [4, 8, 16];
/** About 100 Mbit/s: one copy of the compressed program takes 3 s. */
const THIN_BYTES_PER_SECOND = 12_500_000;

export async function boot(): Promise<void> {
  if (!await canCopy()) return;
  await installPeers();
  await using rig = await startHosts(HOSTS);
  await writeMeshFile(rig, HOSTS);
  const coldMs = await timeBoot(rig);
  const ms = await takeTurns({
    pdsh: () => timeOnOrigin(rig, ["pdsh", "-R", "ssh", "-f", "32", "-w", `n[1-${HOSTS}]`, "true"]),
    boot: async () => {
      await minime(rig, ["halt"]);
      return await timeBoot(rig);
    },
  }, { rounds: ROUNDS });
  await minime(rig, ["halt"]);
  printTable(["boot, s", "pdsh true", "minime boot", "ratio", "budget", "", "with copying"], [[
    `${HOSTS} hosts, program in place`,
    number(ms.pdsh / 1_000, 2),
    number(ms.boot / 1_000, 2),
    number(ms.boot / ms.pdsh, 2),
    ...budgetCell(ms.boot / ms.pdsh, { most: BOOT_RATIO_MAX, unit: "x" }),
    number(coldMs / 1_000, 2),
  ]]);
}

export async function cold(): Promise<void> {
  if (!await canCopy()) return;
  const rows: Row[] = [];
  let first: number | undefined;
  for (const count of COLD_HOSTS) {
    await using rig = await startHosts(count);
    await writeMeshFile(rig, count);
    await using _thin = await throttled(rig.origin, { bytesPerSecond: THIN_BYTES_PER_SECOND });
    const ms = await timeBoot(rig);
    await minime(rig, ["halt"]);
    first ??= ms / count;
    rows.push([
      `${count} hosts`,
      number(ms / 1_000, 1),
      number(ms / count / 1_000, 2),
      number(ms / count / first, 2),
    ]);
  }
  const line = `cold boot, origin sends ${THIN_BYTES_PER_SECOND / 1e6} MB/s`;
  printTable([line, "s", "s a host", "of the first (linear: 1)"], rows);
}

async function canCopy(): Promise<boolean> {
  const binary = await ensureBinary();
  if (binary.kind === "compiled") return true;
  print(`No boot of other hosts is measured, there is no compiled file: ${binary.why}`);
  return false;
}

async function writeMeshFile(rig: Rig, count: number): Promise<void> {
  const text = `name = "bench"\n\n[[hosts]]\nnames = "n[1-${count}]"\n`;
  await rig.origin.writeFile("/root/hosts.toml", text);
}

/** Milliseconds until all are up. */
async function timeBoot(rig: Rig): Promise<number> {
  const start = performance.now();
  await minime(rig, ["boot", "--hosts", "hosts.toml"]);
  return performance.now() - start;
}

async function minime(rig: Rig, args: readonly string[]): Promise<void> {
  const { code, stderr, stdout } = await rig.minime(args, { timeoutMs: 300_000 });
  if (code === 0) return;
  throw new Error(`minime ${args.join(" ")} ended with exit code ${code}: ${stdout}${stderr}`);
}
