/** The commands of the mesh module, as data: who is there, and does it answer. */

import { command, JSON_OUTPUT, NODES } from "../shared/command.ts";
import { duration, flag, timeLimit, whole } from "../shared/option.ts";

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
    "Up: can be reached over links that both ends confirm. Down: was there and cannot be " +
    "reached; the table says for how long, and the last node on the way to it. Left: shut down in " +
    "order. A narrow terminal shows fewer columns. --toml takes users, ports and launchers from the file that booted the mesh.",
  examples: [
    ["minime nodes", "all of them"],
    ["minime nodes -w 'n[1-8]' --json", "some, for programs"],
    ["minime nodes --toml > hosts.toml", "a mesh file of what is there"],
  ],
  options: nodesOptions,
  load: () => import("./nodes_command.ts").then((m) => m.runNodes),
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
  ],
  options: pingOptions,
  args: { placeholder: "NODE", brief: "Nodes, or sets of nodes", minimum: 1, completion: "nodes" },
  load: () => import("./ping_command.ts").then((m) => m.runPing),
});
