/** `minime daemon` as data: see daemon_command.ts. */

import { command } from "../shared/command.ts";
import { flag, list, text } from "../shared/option.ts";

export const daemonOptions = {
  enrol: flag("Take certificate and keys of the mesh from stdin, as boot gives them"),
  node: text("Name of this node", { placeholder: "NAME" }),
  listen: list("Listen here: tcp:HOST:PORT, port 0 for any free one; repeatable", {
    placeholder: "ENDPOINT",
  }),
  detach: flag("Run in the background once the daemon is up"),
};

export const daemon = command({
  name: "daemon",
  brief: "Run a daemon on this machine; boot does it for you",
  examples: [[
    "minime daemon --enrol --mesh lab --node n1 --listen tcp:0.0.0.0:0 --detach",
    "what boot runs on a host",
  ]],
  options: daemonOptions,
  load: () => import("./daemon_command.ts").then((m) => m.runDaemon),
});
