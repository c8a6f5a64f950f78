/** The commands of the router module, as data: which way packets take, and how long each hop takes. */

import { ROUTE_CLASSES } from "../shared/carrier.ts";
import { command, JSON_OUTPUT } from "../shared/command.ts";
import { choice, timeLimit, whole } from "../shared/option.ts";

/** Echoes in a row that a person or a script may ask for. */
const ECHOES_MAX = 1_000;

/** Of `minime route`. */
export const routeOptions = { ...JSON_OUTPUT };

/** Which way. */
export const route = command({
  name: "route",
  brief: "Show the ways from one node to others, in both classes",
  description:
    "Class low goes hop by hop over standing links and never opens a connection. Class high goes " +
    "straight to a node of the same segment, and to another segment through gateways: each hop is " +
    'a standing link, or is "dialled" when something is sent. With one argument the ways begin at ' +
    "the node that this program talks to; with two, the first names one node to begin at, as the " +
    "node that is asked sees it.\n\n" +
    "Exit code: 0 there is a way to every node, 1 to some there is none, 3 to none.",
  examples: [
    ["minime route n7", "from the nearest node"],
    ["minime route n1 n7", "from n1"],
    ["minime route n1 'n[2-9]' --json", "for programs"],
  ],
  options: routeOptions,
  args: {
    placeholder: "[FROM] TO",
    brief: "A node, and a set of nodes",
    minimum: 1,
    maximum: 2,
    completion: "nodes",
  },
  load: () => import("./route_command.ts").then((m) => m.runRoute),
});

/** Of `minime trace`. */
export const traceOptions = {
  class: choice("One class only; default: both", ROUTE_CLASSES),
  count: whole("Echoes along each way", { minimum: 1, maximum: ECHOES_MAX }, {
    letter: "c",
    default: "3",
  }),
  timeout: timeLimit("How long one echo may take", { letter: "W", default: "2s" }),
  ...JSON_OUTPUT,
};

/** How long each hop takes. */
export const trace = command({
  name: "trace",
  brief: "Measure the time to each node on the way to others",
  description:
    "Times are round trips in milliseconds from the node that this program talks to. One echo " +
    "measures the whole way: every node on it stamps it there and back, by its own clock. When none " +
    "comes back, echoes to each node on the way find out how far one gets.\n\n" +
    "Exit code: 0 every node answered in every class, 1 some did not, 3 none did.",
  examples: [
    ["minime trace n7", "both ways to n7"],
    ["minime trace -c 10 --class high n7", "ten echoes through gateways"],
  ],
  options: traceOptions,
  args: { placeholder: "NODE", brief: "Nodes, or sets of nodes", minimum: 1, completion: "nodes" },
  load: () => import("./trace_command.ts").then((m) => m.runTrace),
});
