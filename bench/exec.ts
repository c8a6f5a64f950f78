/**
 * Programs on all nodes: a standing mesh on this machine against ssh to as many hosts, and against what
 * the runtime itself takes for the same: bare.ts.
 */

import { BareNodes } from "./bare_nodes.ts";
import { LocalMesh } from "./local_mesh.ts";
import { Programs } from "./programs.ts";
import { installPeers, startHosts, timeOnOrigin } from "./remote_hosts.ts";
import type { Scale, Scaled } from "./scale.ts";
import { budgetCell, number, printTable, type Row } from "./table.ts";
import { takeTurns } from "./turns.ts";

const NODES = { whole: [16, 64], quick: [2, 3] } as const;
const ROUNDS: Scaled = { whole: 3, quick: 1 };
/** For `true` on 64 nodes, and for one node, from the start of the command to its end. */
const TRUE_MS_MAX = 90;
const ONE_MS_MAX = 32;
const SSH = "ssh -o BatchMode=yes";

export async function exec(scale: Scale): Promise<void> {
  await installPeers();
  await using programs = await Programs.make();
  await using rig = await startHosts(Math.max(...NODES[scale]));
  const rows: Row[] = [];
  for (const count of NODES[scale]) {
    const all = `n[1-${count}]`;
    const ssh = (...words: string[]) => timeOnOrigin(rig, words);
    const hosts = Array.from({ length: count }, (_, index) => ["-m", `n${index + 1}`]).flat();
    const taktuk = ["taktuk", "-c", SSH, ...hosts, "broadcast", "exec", "[", "true", "]"];
    await using bareNodes = await BareNodes.start(count);
    const bare = {
      "bare one": () => bareNodes.time(1),
      "bare all": () => bareNodes.time(count),
    };
    let peers = {
      ...{ pdsh: 0, clush: 0, taktuk: 0, ssh: 0, dshbak: 0, "clush -b": 0 },
      ...{ "bare one": 0, "bare all": 0 },
    };
    const rounds = ROUNDS[scale];
    const what = `exec on ${count}`;
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
          dshbak: () => ssh("sh", "-c", `pdsh -R ssh -f 64 -w '${all}' uptime | dshbak -c`),
          "clush -b": () => ssh("clush", "-b", "-f", "64", "-w", all, "uptime"),
          ...bare,
          ...ours,
        }, { rounds, what, warmUp: 1 });
      } else ms = await takeTurns(ours, { rounds, what, warmUp: 1 });
      /** The same work, of those who can do it. */
      const cells = (mine: number, [pdsh, clush, taktuk]: readonly number[], floor = "") => {
        const best = Math.min(...[pdsh, clush, taktuk].filter((each) => each !== undefined));
        const theirs = [pdsh, clush, taktuk].map((each) =>
          each === undefined ? "" : number(each, 0)
        );
        return [...theirs, "", number(mine, 0), number(best / mine, 1), floor];
      };
      rows.push([
        `true on one of ${count}, ${program.form}`,
        "",
        "",
        "",
        number(peers.ssh, 0),
        number(ms.one, 0),
        number(peers.ssh / ms.one, 1),
        number(peers["bare one"], 0),
        ...budgetCell(ms.one, { most: ONE_MS_MAX, unit: "ms" }),
      ], [
        `true on ${count}, ${program.form}`,
        ...cells(
          ms.everywhere,
          [peers.pdsh, peers.clush, peers.taktuk],
          number(peers["bare all"], 0),
        ),
        ...(count === 64 ? budgetCell(ms.everywhere, { most: TRUE_MS_MAX, unit: "ms" }) : []),
      ], [
        `uptime on ${count}, folded, ${program.form}`,
        ...cells(ms.folded, [peers.dshbak, peers["clush -b"]]),
      ]);
    }
  }
  printTable(
    [
      "exec, ms",
      "pdsh",
      "clush",
      "taktuk",
      "ssh",
      "minime",
      "times faster",
      "bare Deno",
      "budget",
      "",
    ],
    rows,
  );
}
