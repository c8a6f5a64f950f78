/** The commands that take nodes down through the mesh, as data: all of them, or some for good. */

import { command, JSON_OUTPUT, NODES } from "../shared/command.ts";
import { timeLimit } from "../shared/option.ts";

/** Of `minime halt`. */
export const haltOptions = {
  timeout: timeLimit("How long all nodes together may take", { default: "30s" }),
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
  load: () => import("../halt/halt_command.ts").then((m) => m.runHalt),
});

/** Of `minime shrink`. */
export const shrinkOptions = {
  nodes: NODES.nodes,
  exclude: NODES.exclude,
  group: NODES.group,
  timeout: timeLimit("How long the nodes together may take to shut down", { default: "30s" }),
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
  load: () => import("../halt/shrink_command.ts").then((m) => m.runShrink),
});
