/** The uptime of all nodes: a standing mesh on this machine against ssh to as many hosts. */

import { LocalMesh } from "./local_mesh.ts";
import { Programs } from "./programs.ts";
import { installPeers, startHosts, timeOnOrigin } from "./remote_hosts.ts";
import { budgetCell, number, printTable, type Row } from "./table.ts";
import { takeTurns } from "./turns.ts";

const NODES = [16, 64];
const ROUNDS = 3;
/** For 64 nodes. */
const UPTIME_MS_MAX = 80;

export async function uptime(): Promise<void> {
  await installPeers();
  await using programs = await Programs.make();
  await using rig = await startHosts(Math.max(...NODES));
  const rows: Row[] = [];
  for (const count of NODES) {
    const all = `n[1-${count}]`;
    for (const program of programs.all) {
      await using mesh = await LocalMesh.boot(program, count);
      const ms = await takeTurns({
        pdsh: () => timeOnOrigin(rig, ["pdsh", "-R", "ssh", "-f", "64", "-w", all, "uptime"]),
        clush: () => timeOnOrigin(rig, ["clush", "-b", "-f", "64", "-w", all, "uptime"]),
        minime: () => mesh.time(["uptime"], { local: true }),
        folded: () => mesh.time(["uptime", "-b"], { local: true }),
      }, { rounds: ROUNDS });
      rows.push([
        `${count} nodes, ${program.form}`,
        number(ms.pdsh, 0),
        number(ms.clush, 0),
        number(ms.minime, 0),
        number(ms.folded, 0),
        number(ms.clush / ms.folded, 0),
        ...(count === 64 ? budgetCell(ms.folded, { most: UPTIME_MS_MAX, unit: "ms" }) : ["", ""]),
      ]);
    }
  }
  printTable(
    ["uptime, ms", "pdsh", "clush -b", "minime", "minime -b", "times faster", "budget", ""],
    rows,
  );
}
