/**
 * The environment of a real process: the host's clock, kernel randomness, sockets, disk, processes.
 * Runs on Deno 2.9 and inside a file compiled by Deno 2.6.8. Importing it costs nearly nothing:
 * node: modules are imported on first use, since each costs milliseconds at start.
 */
import type { Environment, Random } from "./environment.ts";
import { RealClock } from "./real_clock.ts";
import { RealDisk } from "./real_disk.ts";
import { RealFiles } from "./real_files.ts";
import { hostFacts } from "./real_host.ts";
import { RealNetwork } from "./real_network.ts";
import { RealProcesses } from "./real_processes.ts";

/** What `crypto.getRandomValues` gives at once (Web Cryptography, 10.1.1). */
const RANDOM_BYTES_PER_CALL_MAX = 65_536;

/** Call it once, early: it fixes where our executable lies before an upgrade can replace the file. */
export function createRealEnvironment(): Environment {
  const clock = new RealClock();
  return {
    clock,
    random: REAL_RANDOM,
    network: new RealNetwork(clock),
    files: new RealFiles(),
    disk: new RealDisk(),
    processes: new RealProcesses(),
    host: hostFacts,
  };
}

const REAL_RANDOM: Random = {
  bytes(length) {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += RANDOM_BYTES_PER_CALL_MAX) {
      crypto.getRandomValues(bytes.subarray(at, at + RANDOM_BYTES_PER_CALL_MAX));
    }
    return bytes;
  },
};
