/** The commands that need no daemon, and the daemon's own: help, version, nodeset, completion, daemon. */

import {
  type Command,
  command,
  type CommandContext,
  type CommandGroup,
  group,
  JSON_OUTPUT,
  NODES,
} from "../shared/command.ts";
import { text } from "../shared/option.ts";
import { daemon } from "./daemon_declaration.ts";
import type { Entry } from "./entries.ts";
import { type Runtime, versionText } from "./version.ts";

/** `all` loads the whole tree, these commands included: help and completion speak about it. */
export function cliCommands(
  all: () => Promise<readonly Entry[]>,
  runtime: Runtime,
): readonly Entry[] {
  return [nodeset, completion, help(all), version(runtime), daemon, complete(all)];
}

const { nodes, exclude } = NODES;
export const setOptions = {
  nodes,
  exclude,
  hosts: text("Take groups and * from this mesh file", {
    placeholder: "FILE",
    completion: "files",
  }),
  ...JSON_OUTPUT,
};
export const expandOptions = {
  ...setOptions,
  separator: text("Between two names; \\n, \\t and \\0 are understood", { default: " " }),
};

const ARGS = {
  placeholder: "NODESET",
  brief: "Sets of nodes; ^FILE reads sets from a file, - from stdin; none: stdin",
  completion: "nodes",
} as const;

const nodeset: CommandGroup = group({
  name: "nodeset",
  brief: "Expand, fold, count and combine sets of node names",
  description: 'What a set looks like: "minime help nodesets"',
  examples: [
    ["minime nodeset expand 'n[1-4]'", "n1 n2 n3 n4"],
    ["minime nodeset fold n1 n2 n3", "n[1-3]"],
    ["cut -d, -f1 hosts.csv | minime nodeset fold", "from stdin, one set a line"],
  ],
  commands: [
    command({
      name: "expand",
      brief: "Print every name",
      examples: [["minime nodeset expand 'n[1-4]' -x n2", "n1 n3 n4"], [
        "minime nodeset expand --separator '\\n' @rack1 --hosts hosts.toml",
        "a group of a mesh file, one name a line",
      ]],
      options: expandOptions,
      args: ARGS,
      load: () => import("./nodeset_command.ts").then((m) => m.expand),
    }),
    setCommand("fold", "Print all names as one short set", "n1 n2 n4", "n[1-2,4]"),
    command({
      name: "count",
      brief: "Print how many names there are",
      examples: [["minime nodeset count 'n[001-100]'", "100"]],
      options: setOptions,
      args: ARGS,
      load: () => import("./nodeset_command.ts").then((m) => m.count),
    }),
    setCommand("union", "Print what is in any of the sets", "'n[1-3]' 'n[2-5]'", "n[1-5]"),
    setCommand("difference", "Print the first set without the others", "'n[1-5]' n2", "n[1,3-5]"),
    setCommand("intersection", "Print what is in all sets", "'n[1-3]' 'n[2-5]'", "n[2-3]"),
    setCommand(
      "symmetric-difference",
      "Print what is in one of two sets but not in both",
      "'n[1-3]' 'n[2-5]'",
      "n[1,4-5]",
    ),
  ],
});

function setCommand(
  name: "fold" | "union" | "difference" | "intersection" | "symmetric-difference",
  brief: string,
  args: string,
  result: string,
): Command {
  return command({
    name,
    brief,
    examples: [[`minime nodeset ${name} ${args}`, result]],
    options: setOptions,
    args: ARGS,
    load: () => import("./nodeset_command.ts").then((m) => m.combine(name)),
  });
}

const completion = command({
  name: "completion",
  brief: "Print a completion script for bash, zsh or fish",
  examples: [
    ["source <(minime completion bash)", "this shell, or put the line into ~/.bashrc"],
    ["minime completion zsh > ~/.zfunc/_minime", "a folder of $fpath"],
    ["minime completion fish > ~/.config/fish/completions/minime.fish", "for good"],
  ],
  options: {},
  args: {
    placeholder: "bash|zsh|fish",
    brief: "Which shell",
    minimum: 1,
    maximum: 1,
    completion: "shells",
  },
  load: () => import("./completion_scripts.ts").then((m) => m.printScript),
});

function help(all: () => Promise<readonly Entry[]>): Command {
  return command({
    name: "help",
    brief: "Explain a command or a topic",
    examples: [["minime help uptime", "a command"], ["minime help exit-codes", "a topic"]],
    options: {},
    args: { placeholder: "WORD", brief: "A command, or a topic", completion: "commands" },
    load: async () => (await import("./help_command.ts")).help(await all()),
  });
}

function version(runtime: Runtime): Command {
  return command({
    name: "version",
    brief: "Print the version, and which runtime this is",
    examples: [["minime version --json", "for programs"]],
    options: { ...JSON_OUTPUT },
    load: () =>
      Promise.resolve((context: CommandContext, options: { json: boolean }) => {
        context.out.write(versionText(runtime, options));
        return Promise.resolve();
      }),
  });
}

/** What the scripts of `minime completion` call. */
function complete(all: () => Promise<readonly Entry[]>): Command {
  return command({
    name: "__complete",
    hidden: true,
    brief: "Print what could stand in place of the last word",
    examples: [["minime __complete -- up", "uptime"]],
    options: {},
    args: { placeholder: "WORD", brief: "The words after minime", verbatim: true },
    load: async () => (await import("./complete_command.ts")).complete(await all()),
  });
}
