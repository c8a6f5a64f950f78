/** `minime boot` and `minime grow` as data. */

import { command, JSON_OUTPUT } from "../shared/command.ts";
import { duration, flag, text, whole } from "../shared/option.ts";
import { HOSTS_FILE } from "./hosts_options.ts";

/** How to boot; the mesh file may say so too, and this counts more. */
export const bootOptions = {
  ...HOSTS_FILE,
  binary: text("Copy this executable file instead of the running program", {
    placeholder: "FILE",
    completion: "files",
  }),
  window: whole("Boot so many hosts at the same time", { minimum: 1, maximum: 1_024 }),
  timeout: duration("How long a host may take for each phase but copying"),
  connectTimeout: duration("How long a host may take to answer ssh"),
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
    "others are up and stay so.",
  examples: [
    ["minime boot --hosts hosts.toml", "all hosts of the file"],
    ["minime boot --hosts hosts.toml -w n[1-4]", "only these"],
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
