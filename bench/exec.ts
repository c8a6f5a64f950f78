/** Programs on all nodes: a standing mesh on this machine against ssh to as many hosts. */

import { LocalMesh } from "./local_mesh.ts";
import { Programs } from "./programs.ts";
import { installPeers, startHosts, timeOnOrigin } from "./remote_hosts.ts";
import { budgetCell, number, printTable, type Row } from "./table.ts";
import { takeTurns } from "./turns.ts";

const NODES = [16, 64];
const ROUNDS = 5;
/** For `true` on 64 nodes. */
const TRUE_MS_MAX = 90;

export async function exec(): Promise<void> {
  await installPeers();
  await using programs = await Programs.make();
  await using rig = await startHosts(Math.max(...NODES));
  const rows: Row[] = [];
  for (const count of NODES) {
    const all = `n[1-${count}]`;
    const ssh = (...words: string[]) => timeOnOrigin(rig, [...words, "-w", all, "true"]);
    let peers = { pdsh: 0, clush: 0 };
    for (const program of programs.all) {
      await using mesh = await LocalMesh.boot(program, count);
      const time = (...words: string[]) => mesh.time(["exec", "-n", ...words], { local: true });
      const ours = {
        one: () => time("-w", "n2", "true"),
        everywhere: () => time("-w", all, "true"),
        folded: () => time("-b", "-w", all, "uptime"),
      };
      // They do not depend on our form: once, in turns with the first one.
      let ms;
      if (program === programs.bundle) {
        peers = ms = await takeTurns({
          pdsh: () => ssh("pdsh", "-R", "ssh", "-f", "64"),
          clush: () => ssh("clush", "-f", "64"),
          ...ours,
        }, { rounds: ROUNDS });
      } else ms = await takeTurns(ours, { rounds: ROUNDS });
      rows.push([
        `${count} nodes, ${program.form}`,
        number(peers.pdsh, 0),
        number(peers.clush, 0),
        number(ms.one, 0),
        number(ms.everywhere, 0),
        number(ms.folded, 0),
        number(peers.clush / ms.everywhere, 0),
        ...(count === 64 ? budgetCell(ms.everywhere, { most: TRUE_MS_MAX, unit: "ms" }) : ["", ""]),
      ]);
    }
  }
  printTable(
    ["exec, ms", "pdsh", "clush", "one node", "true", "-b uptime", "times faster", "budget", ""],
    rows,
  );
}
