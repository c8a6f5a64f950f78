/**
 * Files to all nodes: a standing mesh on this machine against scp in a loop and clush over ssh to as many
 * hosts. All of them write to one disk of this machine, and only ours waits until it has them.
 */

import { LocalMesh } from "./local_mesh.ts";
import { Programs } from "./programs.ts";
import { installPeers, startHosts, timeOnOrigin } from "./remote_hosts.ts";
import type { Scale, Scaled } from "./scale.ts";
import { number, printTable, type Row } from "./table.ts";
import { takeTurns } from "./turns.ts";

const NODES: Scaled = { whole: 16, quick: 2 };
const ROUNDS: Scaled = { whole: 2, quick: 1 };
const LARGE_BYTES: Scaled = { whole: 100_000_000, quick: 1_000_000 };
/** scp takes a round trip for each. */
const SMALL_FILES: Scaled = { whole: 200, quick: 20 };
const SMALL_BYTES = 1_000;

export async function copy(scale: Scale): Promise<void> {
  const nodes = NODES[scale];
  const rounds = ROUNDS[scale];
  await installPeers();
  await using programs = await Programs.make();
  await using rig = await startHosts(nodes);
  const folder = await Deno.makeTempDir({ prefix: "minime-bench-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const sources = [["large", `${LARGE_BYTES[scale] / 1_000_000} MB`], [
    "small",
    `${SMALL_FILES[scale]} files of 1 kB`,
  ]] as const;
  await makeSources(folder, scale);
  await makeSources(rig.origin.path("/root"), scale);
  const all = `n[1-${nodes}]`;
  const rows: Row[] = [];
  for (const [name, what] of sources) {
    const fresh = async (measure: () => Promise<number>) => {
      // What is there already would not be sent.
      await Deno.remove(`${folder}/to`, { recursive: true }).catch(() => {});
      await Deno.mkdir(`${folder}/to`);
      return await measure();
    };
    const loop = `for i in $(seq ${nodes}); do scp -q -r ${name} n$i:/tmp/ || exit 1; done`;
    let peers = { scp: 0, clush: 0 };
    for (const program of programs.all) {
      await using mesh = await LocalMesh.boot(program, nodes);
      const cp = (...options: string[]) => () =>
        fresh(() =>
          mesh.time(["cp", ...options, `${folder}/${name}`, `${all}:${folder}/to/`], {
            local: true,
          })
        );
      const ours = { tree: cp(), sessions: cp("--private") };
      let ms: { readonly tree: number; readonly sessions?: number };
      if (program === programs.bundle) {
        const both = await takeTurns({
          scp: () => timeOnOrigin(rig, ["sh", "-c", loop]),
          clush: () => timeOnOrigin(rig, ["clush", "-w", all, "-c", name, "--dest", "/tmp/"]),
          ...ours,
        }, { rounds, what });
        peers = both;
        ms = both;
      } else ms = await takeTurns({ tree: ours.tree }, { rounds: 1, what });
      rows.push([
        `${what} to ${nodes}, ${program.form}`,
        number(peers.scp, 0),
        number(peers.clush, 0),
        number(ms.tree, 0),
        number(Math.min(peers.scp, peers.clush) / ms.tree, 1),
        ms.sessions === undefined ? "" : number(ms.sessions, 0),
      ]);
    }
  }
  printTable(["cp, ms", "scp in a loop", "clush -c", "minime", "times faster", "--private"], rows);
}

async function makeSources(folder: string, scale: Scale): Promise<void> {
  const large = new Uint8Array(LARGE_BYTES[scale]).map((_, index) => index * 7 + (index >> 8));
  await Deno.writeFile(`${folder}/large`, large);
  await Deno.mkdir(`${folder}/small`);
  for (let index = 0; index < SMALL_FILES[scale]; index++) {
    await Deno.writeFile(`${folder}/small/${index}`, large.subarray(index, index + SMALL_BYTES));
  }
}
