/** The command of the group module, as data: any verb on any nodes, for who looks under the hood. */

import { command, JSON_OUTPUT, NODES } from "../shared/command.ts";
import { flag, timeLimit, value } from "../shared/option.ts";
import { parseReduce } from "./reduce_option.ts";

/** Of `minime call`. */
export const callOptions = {
  ...NODES,
  reduce: value("How answers are put together on their way", parseReduce, {
    letter: "r",
    placeholder: "KIND[:FIELD]",
    default: "fold",
  }),
  timeout: timeLimit("How long the slowest node may take", { letter: "t", default: "30s" }),
  sign: flag("Sign the request as you, for verbs that policy guards"),
  ...JSON_OUTPUT,
};

/** Any verb on any nodes. */
export const call = command({
  name: "call",
  brief: "Call a verb of a module on nodes, and fold equal answers",
  description:
    "The answers are put together in the tree of nodes that carries the call. KIND is fold " +
    "(equal answers once, with their nodes), list (each node by itself), count, sum, min, max, " +
    "mean, histogram[:FIELD[:WIDTH]], top[:FIELD[:COUNT]] or first-error; FIELD is a path into the " +
    "answer, as in load.0. Nodes that did not answer are named on stderr.\n\n" +
    "Exit code: 0 all nodes answered, 1 some did not, 3 none did, 5 all refused.",
  examples: [
    ["minime call -r fold:version core.hello", "which nodes run which version"],
    ["minime call -r max:load.0 uptime.get", "the busiest node"],
    ["minime call -w 'n[1-8]' uptime.get '{\"coarse\": true}'", "with arguments"],
  ],
  options: callOptions,
  args: {
    placeholder: "VERB [JSON]",
    brief: "A verb, and its arguments as JSON",
    minimum: 1,
    maximum: 2,
  },
  load: () => import("./call_command.ts").then((m) => m.runCall),
});
