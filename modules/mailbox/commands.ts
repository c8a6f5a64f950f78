/** The commands of the mailbox module, as data: send a message to a node, receive one. */

import { command, JSON_OUTPUT } from "../shared/command.ts";
import { choice, duration, flag, text, timeLimit, whole } from "../shared/option.ts";

/** Messages that one command takes. */
const COUNT_MAX = 1_000_000_000;

/** Of `minime send`. */
export const sendOptions = {
  class: choice("How it travels: low, over standing links; high, straight or through gateways", [
    "low",
    "high",
  ], { default: "low" }),
  wait: flag("Wait for room in a full mailbox"),
  timeout: timeLimit("How long --wait waits", { letter: "t", default: "1h" }),
};

/** One message. */
export const send = command({
  name: "send",
  brief: "Send stdin as one message to a mailbox of a node",
  description:
    "A node has a mailbox for each tag; `minime recv TAG` takes messages out of it. A message has up " +
    "to 16 MiB and is in the mailbox as a whole or not at all, at most once; messages that one sender " +
    "sends one after the other under one tag stay in order. Mailboxes live in the memory of the daemon, " +
    "and hold up to 1,024 messages and 32 MiB a tag, 64 MiB a node, until somebody takes them.\n\n" +
    "Exit code: 0 the message is in the mailbox, 1 the mailbox is full or the message too large, " +
    "4 the node cannot be reached, 5 the policy does not allow it, 124 no room in time.",
  examples: [
    ["minime send n2 results < result.json", "to node n2, under the tag results"],
    ["date | minime send --wait n2 log", "wait while the mailbox is full"],
  ],
  options: sendOptions,
  args: {
    placeholder: "NODE TAG",
    brief: "The node, and the tag of its mailbox",
    minimum: 2,
    maximum: 2,
    completion: "nodes",
  },
  load: () => import("./send_command.ts").then((m) => m.runSend),
});

/** Of `minime recv`. */
export const recvOptions = {
  node: text("The node whose mailbox it is; default: the one that we are connected to", {
    letter: "w",
    placeholder: "NODE",
    completion: "nodes",
  }),
  count: whole("Stop after so many messages; default: 1", { minimum: 1, maximum: COUNT_MAX }, {
    letter: "c",
  }),
  follow: flag("Go on until ^C", { letter: "f" }),
  from: text("Only messages of this node or user; node:NAME and user:NAME tell them apart", {
    placeholder: "NAME",
  }),
  timeout: duration("How long to wait for a message, 0 takes what is there; default: for ever", {
    letter: "t",
  }),
  ...JSON_OUTPUT,
};

/** Messages, as they come. */
export const recv = command({
  name: "recv",
  brief: "Receive messages from a mailbox of a node",
  description:
    "Writes each message to stdout exactly as it was sent, the oldest first, and takes it out of the " +
    "mailbox. With --json each message is one document: from whom, when, and its bytes as base64url. " +
    "On a node the daemon's owner needs no permission for the mailboxes of that very node; elsewhere " +
    "the policy decides (mailbox.take).\n\n" +
    "Exit code: 0 all were received, 124 no message came in time, 4 the node cannot be reached, 5 the " +
    "policy does not allow it.",
  examples: [
    ["minime recv results > result.json", "wait for one message on this node"],
    ["minime recv -w n2 --follow log", "everything that comes to n2, until ^C"],
    ["minime recv --count 3 --from n7 --timeout 10s jobs", "three of node n7"],
  ],
  options: recvOptions,
  args: { placeholder: "TAG", brief: "The tag of the mailbox", minimum: 1, maximum: 1 },
  load: () => import("./recv_command.ts").then((m) => m.runRecv),
});
