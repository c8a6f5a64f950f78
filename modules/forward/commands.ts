/** The command of the forward module, as data. */

import { command, JSON_OUTPUT } from "../shared/command.ts";
import { FORWARDS_MAX } from "./limits.ts";

/** Of `minime forward`. */
export const forwardOptions = { ...JSON_OUTPUT };

/** Local ports to wherever a node can connect. */
export const forward = command({
  name: "forward",
  brief: "Forward local TCP ports to what a node of the mesh can reach",
  description:
    "Listens on LOCALPORT of this machine (0: any free one, which it prints; BIND:LOCALPORT listens on " +
    "another address, *:LOCALPORT on all). For each connection NODE connects to HOST:PORT, names being " +
    "looked up there, and the bytes travel through the mesh and its gateways, encrypted as far as NODE. " +
    "IPv6 addresses stand in brackets. Several pairs may follow each other.\n\n" +
    "Each way of a connection ends by itself. When the node cannot connect, the local program's " +
    "connection is closed, a line on stderr says why, and the forward goes on; so it does when the node " +
    "was gone for a while. The policy decides who may connect where (forward.connect, `destinations`). " +
    "At most 60 connections at once go to one node; more wait. ^C ends it.",
  examples: [
    ["minime forward 8080 n2:localhost:80", "what listens on port 80 of n2"],
    ["minime forward 5432 gw:db.lab:5432 0 gw:[fd00::7]:22", "two at once, through a gateway"],
    ["minime forward '*:8080' n2:localhost:80", "for other machines too"],
  ],
  options: forwardOptions,
  args: {
    placeholder: "[BIND:]LOCALPORT NODE:HOST:PORT",
    brief: "Where to listen, and where the node connects to",
    minimum: 2,
    maximum: 2 * FORWARDS_MAX,
  },
  load: () => import("./forward_command.ts").then((m) => m.runForward),
});
