/** The command of the uptime module, as data. */

import { command, FOLD, JSON_OUTPUT, NODES } from "../shared/command.ts";
import { WATCH } from "../shared/looks.ts";
import { timeLimit } from "../shared/option.ts";

/** Of `minime uptime`. */
export const uptimeOptions = {
  ...NODES,
  ...FOLD,
  ...WATCH,
  timeout: timeLimit("How long the slowest node may take", { letter: "t", default: "10s" }),
  ...JSON_OUTPUT,
};

/** How long nodes are up, and how busy. */
export const uptime = command({
  name: "uptime",
  brief: "Show how long nodes are up and how busy they are",
  description:
    "One line for each node, those that are down with how long. STARTS counts the starts of the " +
    "daemon with its key, MESSAGES the requests it has executed. -b rounds what nodes answer and " +
    "shows those in the same state as one line. A narrow terminal shows fewer columns.\n\n" +
    "Exit code: 0 all nodes answered, 1 some did not, 3 none did. A node that is known to be " +
    "down or missing counts only if -w, -g or -a asked for it.",
  examples: [
    ["minime uptime", "all nodes"],
    ["minime uptime -b", "nodes in the same state together"],
    ["minime uptime -w 'n[1-8]' --watch", "some, again every 2 s"],
  ],
  options: uptimeOptions,
  load: () => import("./uptime_command.ts").then((m) => m.runUptime),
});
