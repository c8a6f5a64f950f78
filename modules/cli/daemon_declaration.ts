/** `minime daemon` as data: see daemon_command.ts. */

import { command } from "../shared/command.ts";
import { LOG_LEVELS } from "../shared/log_level.ts";
import { choice, flag, list, text } from "../shared/option.ts";

export const daemonOptions = {
  config: text("Run as the node that this machine is in this mesh file", {
    placeholder: "FILE",
    completion: "files",
  }),
  name: text("Which node this is; default: the one with this machine's host name or address", {
    placeholder: "NAME",
  }),
  keys: text("Folder of the node's keys; default: the folder of the mesh file", {
    placeholder: "FOLDER",
    completion: "files",
  }),
  tokenFile: text("Become a node by the token in this file, unless the keys are there", {
    placeholder: "FILE",
    completion: "files",
  }),
  log: text("Log to this file, which is turned over by size; default: to stderr", {
    placeholder: "FILE",
    completion: "files",
  }),
  logLevel: choice("What is logged; default: what the mesh file says, or info", LOG_LEVELS),
  pidFile: text("Keep the process id in this file from when the daemon runs until it stops", {
    placeholder: "FILE",
    completion: "files",
  }),
  enrol: flag("Take certificate and keys of the mesh from stdin, as boot gives them"),
  listen: list("With --enrol: listen here, port 0 for any free one; repeatable", {
    placeholder: "ENDPOINT",
  }),
  detach: flag("With --enrol: run in the background once the daemon is up"),
};

export const daemon = command({
  name: "daemon",
  brief: "Run a daemon on this machine",
  description: "With --config it runs in the foreground, as service managers want it: it logs to " +
    "stderr, reads its keys from files, and stops in order when it is told to. With --enrol it is " +
    "what boot starts on a host.",
  examples: [
    ["minime daemon --config /etc/minime/mesh.toml", "the keys lie beside the file"],
    [
      "minime daemon --enrol --mesh lab --name n1 --listen tcp:0.0.0.0:0 --detach",
      "what boot runs on a host",
    ],
  ],
  options: daemonOptions,
  load: () => import("./daemon_command.ts").then((m) => m.runDaemon),
});
