/**
 * Hosts with sshd for the peers and for boot: the rig of the system tests, whose origin runs pdsh,
 * clush and taktuk. They come from Debian's packages `pdsh`, `clustershell` and `taktuk` and are
 * installed when missing.
 */

import { requirements, Rig } from "../tests/system/rig/mod.ts";
import { outputOf } from "./process.ts";
import { print } from "./table.ts";

const PEER_MS_MAX = 180_000;
const PEERS = [["pdsh", "pdsh"], ["clush", "clustershell"], ["taktuk", "taktuk"]] as const;

export async function startHosts(count: number): Promise<Rig> {
  const missing = requirements();
  if (missing.length > 0) throw new Error(`This machine lacks ${missing.join(", ")}`);
  return await Rig.start({
    hosts: Array.from({ length: count }, (_, index) => `n${index + 1}`),
  });
}

/** Throws when they can neither be found nor installed. */
export async function installPeers(): Promise<void> {
  const wanted: string[] = [];
  for (const [program, name] of PEERS) {
    try {
      await outputOf(["sh", "-c", `command -v ${program}`]);
    } catch {
      // Not there.
      wanted.push(name);
    }
  }
  if (wanted.length === 0) return;
  print(`Installing the peers to compare with: apt-get install ${wanted.join(" ")}`);
  await outputOf(["apt-get", "install", "--yes", "--quiet", ...wanted]);
}

/** Milliseconds of a whole command on the origin. */
export async function timeOnOrigin(rig: Rig, argv: readonly string[]): Promise<number> {
  const start = performance.now();
  await rig.origin.must(argv, { timeoutMs: PEER_MS_MAX });
  return performance.now() - start;
}
