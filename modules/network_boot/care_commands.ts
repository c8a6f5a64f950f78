/** The commands that look after the hosts of a mesh, as data: recon and wipe, halt and shrink. */

import { command, JSON_OUTPUT, NODES } from "../shared/command.ts";
import { duration, flag, text } from "../shared/option.ts";
import { HOSTS_FILE } from "./hosts_options.ts";

/** Of `minime recon`. */
export const reconOptions = {
  ...HOSTS_FILE,
  binary: text("The program that boot would copy; default: this one", {
    placeholder: "FILE",
    completion: "files",
  }),
  timeout: duration("Give up on a host after this long; default: the file's"),
  ...JSON_OUTPUT,
};

/** Looks before a boot. */
export const recon = command({
  name: "recon",
  brief: "Check whether hosts can be booted, and change nothing",
  description:
    "Tells everything that would stop a boot, all of it at once: name, address, ssh, host key, CPU " +
    "and C library, programs that are missing, space, noexec, permissions, port, clock, a daemon " +
    "that runs already. Hosts are looked at by one ssh connection each; nothing is created on " +
    "them, and no host key is learned. --verbose says what was seen of each host.\n\n" +
    "Exit code: 0 all are ready, 1 some are not, 3 none is.",
  examples: [
    ["minime recon --hosts hosts.toml", "all hosts of the file"],
    ["minime recon --hosts hosts.toml -w 'n[1-4]' -v", "four of them, with what was seen"],
    ["minime recon --bhost --hosts lam-bhost.def", "a boot schema of LAM"],
  ],
  options: reconOptions,
  load: () => import("./recon_command.ts").then((m) => m.runRecon),
});

/** Of `minime wipe`. */
export const wipeOptions = {
  ...HOSTS_FILE,
  all: flag("Also remove the program that boot copied there"),
  grace: duration("How long a daemon may take to stop before it is killed", { default: "10s" }),
  ...JSON_OUTPUT,
};

/** Cleans up without a mesh. */
export const wipe = command({
  name: "wipe",
  brief: "Clean up hosts from the mesh file alone, with or without a living mesh",
  description:
    "For each node of the file: asks its daemon to stop, kills it when it does not, and removes its " +
    "state folder with socket, log and audit records. Nobody else's process is ever signalled: the " +
    "process must have started when the pid file says. What is clean already stays so, so wipe can " +
    "be repeated. The keys of the mesh stay in its home; the last line says how to remove them.\n\n" +
    "A living mesh is better shut down by halt. Exit code: 0 all are clean, 1 some are not, 3 none is.",
  examples: [
    ["minime wipe --hosts hosts.toml", "all hosts of the file"],
    ["minime wipe --hosts hosts.toml -w n3", "one of them"],
    ["minime wipe --hosts hosts.toml --all", "also the program itself"],
  ],
  options: wipeOptions,
  load: () => import("./wipe_command.ts").then((m) => m.runWipe),
});

/** Of `minime halt`. */
export const haltOptions = {
  timeout: duration("How long all nodes together may take", { default: "30s" }),
  ...JSON_OUTPUT,
};

/** Takes down the whole mesh. */
export const halt = command({
  name: "halt",
  brief: "Shut the whole mesh down, and return when all of it is down",
  description:
    "Asks every node to shut down in order and waits until none takes connections any more. Nodes " +
    "that were down already are named. Keys and policy stay, so that the mesh can be booted again.\n\n" +
    "Exit code: 0 all is down, also when it was before; 1 or 3 some or all nodes did not come down " +
    "in time; 4 no node can be reached and some may still run; 5 refused by the policy.",
  examples: [
    ["minime halt", "the mesh that is there"],
    ["minime --mesh lab halt --timeout 2m", "another one, and more patience"],
  ],
  options: haltOptions,
  load: () => import("./halt_command.ts").then((m) => m.runHalt),
});

/** Of `minime shrink`. */
export const shrinkOptions = {
  nodes: NODES.nodes,
  exclude: NODES.exclude,
  group: NODES.group,
  timeout: duration("How long the nodes together may take to shut down", { default: "30s" }),
  ...JSON_OUTPUT,
};

/** Takes some nodes out of the mesh. */
export const shrink = command({
  name: "shrink",
  brief: "Shut nodes down and have the mesh forget them",
  description:
    "Warns, waits and removes: the nodes finish what they are doing and shut down in order; then " +
    "all others forget them. Nodes that are down already are forgotten too. At least one node must " +
    "stay that can be reached: halt takes down the whole mesh. A key is never used again; a host " +
    "that comes back by grow is a new node, whatever its name.\n\n" +
    "Exit code: 0 all are gone, 1 or 3 some or all are not, 4 the mesh cannot be reached.",
  examples: [
    ["minime shrink -w n4", "one node"],
    ["minime shrink -w 'n[5-8]' -x n6", "several"],
  ],
  options: shrinkOptions,
  load: () => import("./shrink_command.ts").then((m) => m.runShrink),
});
