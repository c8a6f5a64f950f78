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
    let peers = { pdsh: 0, clush: 0 };
    for (const program of programs.all) {
      await using mesh = await LocalMesh.boot(program, count);
      const ours = {
        minime: () => mesh.time(["uptime"], { local: true }),
        folded: () => mesh.time(["uptime", "-b"], { local: true }),
      };
      // They do not depend on our form: once, in turns with the first one.
      let ms;
      if (program === programs.bundle) {
        const all = `n[1-${count}]`;
        peers = ms = await takeTurns({
          pdsh: () => timeOnOrigin(rig, ["pdsh", "-R", "ssh", "-f", "64", "-w", all, "uptime"]),
          clush: () => timeOnOrigin(rig, ["clush", "-b", "-f", "64", "-w", all, "uptime"]),
          ...ours,
        }, { rounds: ROUNDS });
      } else ms = await takeTurns(ours, { rounds: ROUNDS });
      rows.push([
        `${count} nodes, ${program.form}`,
        number(peers.pdsh, 0),
        number(peers.clush, 0),
        number(ms.minime, 0),
        number(ms.folded, 0),
        number(peers.clush / ms.folded, 0),
        ...(count === 64 ? budgetCell(ms.folded, { most: UPTIME_MS_MAX, unit: "ms" }) : ["", ""]),
      ]);
    }
  }
  printTable(
    ["uptime, ms", "pdsh", "clush -b", "minime", "minime -b", "times faster", "budget", ""],
    rows,
  );
}
