/** The commands of the mesh module, as data: who is there, and does it answer. */

import { ROUTE_CLASSES } from "../shared/carrier.ts";
import { command, JSON_OUTPUT, NODES } from "../shared/command.ts";
import { WATCH } from "../shared/looks.ts";
import { choice, duration, flag, timeLimit, value, whole } from "../shared/option.ts";
import { parseStatusGoal } from "./status_goal.ts";

/** Of `minime nodes`. */
export const nodesOptions = {
  ...NODES,
  toml: flag("Print a mesh file that can be fed back to boot"),
  ...JSON_OUTPUT,
};

/** Who is there. */
export const nodes = command({
  name: "nodes",
  brief: "Show the nodes of the mesh, the lost ones too",
  description:
    "Up: can be reached over links that both ends confirm, in so many hops from the daemon that " +
    "was asked. Down: was there and cannot be reached; the table says for how long, and the last " +
    "node on the way to it with its hops. Left: shut down in order. Missing: the home of the mesh " +
    "names it, and the daemon that was asked has not heard of it for as long as it runs; one that " +
    "is gone for good is taken from the home by minime shrink. A narrow terminal shows fewer columns. --toml takes users, ports and launchers from the file that booted the mesh.",
  examples: [
    ["minime nodes", "all of them"],
    ["minime nodes -w 'n[1-8]' --json", "some, for programs"],
    ["minime nodes --toml > hosts.toml", "a mesh file of what is there"],
  ],
  options: nodesOptions,
  load: () => import("./nodes_command.ts").then((m) => m.runNodes),
});

/** Of `minime status`. */
export const statusOptions = {
  links: flag("Show each link", { letter: "l" }),
  ...WATCH,
  wait: value("Wait until the mesh is so", parseStatusGoal, {
    placeholder: "healthy|up=N|up=all",
  }),
  timeout: timeLimit("How long --wait waits; default: 30s", { letter: "t" }),
  slow: timeLimit("Longest round trip of a healthy link; default: 100ms, between segments 500ms"),
  ...JSON_OUTPUT,
};

/** Is the mesh healthy. */
export const status = command({
  name: "status",
  brief: "Show whether the mesh is healthy, and what is wrong",
  description:
    "One line for the nodes of a segment that are alike, one line for each thing that is wrong, and " +
    "a summary. LINKS: how many links to nodes that are up stand, of how many there should be; " +
    "ROUND TRIP: of those links, the smaller one of what their two ends measured last.\n\n" +
    "Degraded is a mesh with a lost node, one that the home of the mesh names and of which nobody " +
    "has heard since the daemon that is asked started, a node that does not answer within 3 s, a link that " +
    "should be there and is not, that only one end claims, or that is slow, a segment which has lost " +
    "gateways and has at most one left, or nodes of several versions. Nodes that left in order " +
    "are no problem.\n\n" +
    "--wait looks until the goal is reached: healthy; up=N, so many nodes answer; up=all, every " +
    "node that was booted or seen answers. It waits for a mesh that cannot be reached yet as well.\n\n" +
    "Exit code: 0 healthy, 1 degraded; with --wait 0 reached, 124 not reached in time.",
  examples: [
    ["minime status", "nodes by segment, what is wrong, a summary"],
    ["minime status --links", "each link with its round trip too"],
    ["minime status --watch", "again every 2 s"],
    ["minime status --wait up=all --timeout 1m && minime uptime", "go on when all are there"],
  ],
  options: statusOptions,
  load: () => import("./status_command.ts").then((m) => m.runStatus),
});

/** Pings in a row that a person or a script may ask for. */
const PINGS_MAX = 1_000_000;

/** Of `minime ping`. */
export const pingOptions = {
  count: whole("Stop after so many; default: at ^C", { minimum: 1, maximum: PINGS_MAX }, {
    letter: "c",
  }),
  interval: duration("Between two pings", { letter: "i", default: "1s" }),
  timeout: timeLimit("How long an answer may take", { letter: "W", default: "5s" }),
  record: flag("Ping with packets of the router, and show the way of each answer", { letter: "R" }),
  class: choice("Class of the packets of -R", ROUTE_CLASSES, { default: "low" }),
  ...JSON_OUTPUT,
};

/** Does it answer. */
export const ping = command({
  name: "ping",
  brief: "Measure the round trip to nodes through the mesh",
  description: "The way there and back from this program through the mesh; hops counts the links " +
    "between the daemon that this program talks to and the node. ^C ends it and prints the " +
    "statistics.\n\nExit code: 0 every node answered at least once, 1 one did not.",
  examples: [
    ["minime ping n3", "until ^C"],
    ["minime ping -c 3 'n[1-4]'", "three each"],
    ["minime ping -R n3", "with the way of each answer"],
  ],
  options: pingOptions,
  args: { placeholder: "NODE", brief: "Nodes, or sets of nodes", minimum: 1, completion: "nodes" },
  load: () => import("./ping_command.ts").then((m) => m.runPing),
});
