/** Programs on all nodes: a standing mesh on this machine against ssh to as many hosts. */

import { LocalMesh } from "./local_mesh.ts";
import { Programs } from "./programs.ts";
import { installPeers, startHosts, timeOnOrigin } from "./remote_hosts.ts";
import { budgetCell, number, printTable, type Row } from "./table.ts";
import { takeTurns } from "./turns.ts";

const NODES = [16, 64];
const ROUNDS = 5;
/** For `true` on 64 nodes, and for one node, from the start of the command to its end. */
const TRUE_MS_MAX = 90;
const ONE_MS_MAX = 32;
const SSH = "ssh -o BatchMode=yes";

export async function exec(): Promise<void> {
  await installPeers();
  await using programs = await Programs.make();
  await using rig = await startHosts(Math.max(...NODES));
  const rows: Row[] = [];
  for (const count of NODES) {
    const all = `n[1-${count}]`;
    const ssh = (...words: string[]) => timeOnOrigin(rig, words);
    const hosts = Array.from({ length: count }, (_, index) => ["-m", `n${index + 1}`]).flat();
    const taktuk = ["taktuk", "-c", SSH, ...hosts, "broadcast", "exec", "[", "true", "]"];
    let peers = { pdsh: 0, clush: 0, taktuk: 0, ssh: 0 };
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
          pdsh: () => ssh("pdsh", "-R", "ssh", "-f", "64", "-w", all, "true"),
          clush: () => ssh("clush", "-f", "64", "-w", all, "true"),
          taktuk: () => ssh(...taktuk),
          ssh: () => ssh("ssh", "n2", "true"),
          ...ours,
        }, { rounds: ROUNDS, warmUp: 1 });
      } else ms = await takeTurns(ours, { rounds: ROUNDS, warmUp: 1 });
      const best = Math.min(peers.pdsh, peers.clush, peers.taktuk);
      const cells = (mine: number) => [
        number(peers.pdsh, 0),
        number(peers.clush, 0),
        number(peers.taktuk, 0),
        "",
        number(mine, 0),
        number(best / mine, 1),
      ];
      rows.push([
        `true on one of ${count}, ${program.form}`,
        "",
        "",
        "",
        number(peers.ssh, 0),
        number(ms.one, 0),
        number(peers.ssh / ms.one, 1),
        ...budgetCell(ms.one, { most: ONE_MS_MAX, unit: "ms" }),
      ], [
        `true on ${count}, ${program.form}`,
        ...cells(ms.everywhere),
        ...(count === 64 ? budgetCell(ms.everywhere, { most: TRUE_MS_MAX, unit: "ms" }) : []),
      ], [`-b uptime on ${count}, ${program.form}`, ...cells(ms.folded)]);
    }
  }
  printTable(
    ["exec, ms", "pdsh", "clush", "taktuk", "ssh", "minime", "times faster", "budget", ""],
    rows,
  );
}
