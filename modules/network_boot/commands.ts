/** The commands that reach hosts by ssh, as data: boot and grow, recon and wipe. */

import { command, JSON_OUTPUT } from "../shared/command.ts";
import { duration, flag, text, timeLimit, whole } from "../shared/option.ts";
import { HOSTS_FILE } from "./hosts_options.ts";

/** How to boot; the mesh file may say so too, and this counts more. */
export const bootOptions = {
  ...HOSTS_FILE,
  binary: text("Copy this executable file instead of the running program", {
    placeholder: "FILE",
    completion: "files",
  }),
  window: whole("Boot so many hosts at the same time", { minimum: 1, maximum: 1_024 }),
  timeout: timeLimit("How long a host may take for each phase but copying"),
  connectTimeout: timeLimit("How long a host may take to answer ssh"),
  install: flag("Leave the node installed: it starts with its machine from now on"),
  replace: flag("With --install: take the place of another program that runs there, at once"),
  acceptNew: flag("Accept the keys of hosts that ssh does not know yet"),
  ...JSON_OUTPUT,
};

/** As boot; without --hosts the mesh as it was booted is meant. */
export const growOptions = bootOptions;

export const boot = command({
  name: "boot",
  brief: "Start a daemon on every host of a mesh file",
  description: "Hosts are reached by your ssh, without questions asked: keys must be set up. The " +
    "program copies itself where it is missing. Hosts that fail are named with the reason; the " +
    "others are up and stay so.\n\n" +
    "A node that boot starts lasts as long as it runs, and holds its keys in memory. With --install " +
    "it becomes a service (systemd, or an init script) and its keys lie in /etc/minime/MESH: that " +
    "takes root on the hosts, and a port in the file. Done again it changes what is not as it should be, " +
    "but for the program of nodes that run, which minime upgrade changes.",
  examples: [
    ["minime boot --hosts hosts.toml", "all hosts of the file"],
    ["minime boot --hosts hosts.toml -w 'n[1-4]'", "only these"],
    ["minime boot --hosts hosts.toml --install", "and again whenever their machines start"],
    ["minime boot --hosts bhost.def --bhost --mesh lab", "with a file of LAM"],
  ],
  options: bootOptions,
  load: () => import("./boot_command.ts").then((m) => m.runBoot),
});

export const grow = command({
  name: "grow",
  brief: "Add hosts to a living mesh, or bring lost ones back",
  examples: [
    ["minime grow --hosts more.toml", "hosts of this file that are not up"],
    ["minime grow -w n3", "start n3 again, as the mesh was booted"],
  ],
  options: growOptions,
  load: () => import("./grow_command.ts").then((m) => m.runGrow),
});

/** Of `minime recon`. */
export const reconOptions = {
  ...HOSTS_FILE,
  binary: text("The program that boot would copy; default: this one", {
    placeholder: "FILE",
    completion: "files",
  }),
  timeout: timeLimit("Give up on a host after this long; default: the file's"),
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
