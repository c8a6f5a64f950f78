/** The command of the log module, as data. */

import { command, JSON_OUTPUT, NODES } from "../shared/command.ts";
import { choice, duration, flag, text, whole } from "../shared/option.ts";

/** Of `minime log`. */
export const logOptions = {
  ...NODES,
  name: text("The daemon of that name on this machine, where several run", {
    placeholder: "NAME",
  }),
  follow: flag("Wait for more until interrupted", { letter: "f" }),
  lines: whole("So many lines of each node at most, the last ones", {
    minimum: 0,
    maximum: 100_000,
  }, { letter: "n", default: "100" }),
  level: choice("What is as important as this, or more", ["debug", "info", "warning", "error"], {
    default: "info",
  }),
  since: duration("Only what was logged since so long ago"),
  ...JSON_OUTPUT,
};

export const log = command({
  name: "log",
  brief: "Show the daemons' own logs, and follow them",
  description:
    "Without -w, -g or -a it is the daemon of this machine, for its owner. Of other nodes " +
    'the policy decides: it is the verb "log.read". A daemon keeps about a megabyte, and debug ' +
    "lines only if its mesh file says so. Lines are sorted by time, by the nodes' own clocks. With " +
    "--json each line is an object of its own.",
  examples: [
    ["minime log -f", "of the daemon here"],
    ["minime log -w 'n[1-16]' --level warning --since 1h", "what went wrong"],
    ["minime log -af -n 0 --json", "everything from now on, for programs"],
  ],
  options: logOptions,
  load: () => import("./log_command.ts").then((m) => m.runLog),
});
