/** The texts of --help: usage, what it does, examples, options. One column of names, one of briefs. */

import type { Command } from "../shared/command.ts";
import { EXIT_CODE_MEANINGS } from "../shared/exit_code.ts";
import type { Option } from "../shared/option.ts";
import { padText } from "../shared/text.ts";
import { dashed, type Entry, GLOBAL_OPTIONS } from "./entries.ts";

type Row = readonly [name: string, meaning: string];

/** Texts that are no command's: `minime help TOPIC`. */
export const HELP_TOPICS = ["exit-codes", "nodesets", "environment"] as const;

export function programHelp(entries: readonly Entry[]): string {
  return sections([
    "Usage: minime COMMAND [OPTIONS] [ARGUMENTS]",
    "A mesh of tiny daemons for clusters: boot it over ssh, then act on all nodes at once.",
    ["Examples", [
      ["minime boot --hosts hosts.toml", "boot a mesh on the hosts of a file"],
      ["minime nodes", "who is there"],
      ["minime uptime -w 'n[1-16]' -b", "sixteen nodes, equal answers folded"],
    ]],
    [
      "Commands",
      entries.filter((entry) => !entry.hidden).map((entry) => [entry.name, entry.brief]),
    ],
    ["Options of all commands", optionRows(GLOBAL_OPTIONS)],
    `More: minime COMMAND --help, minime help ${HELP_TOPICS.join("|")}`,
  ]);
}

/** `path` is how the entry is reached: ["nodeset", "fold"]. */
export function entryHelp(entry: Entry, path: readonly string[]): string {
  const words = ["minime", ...path].join(" ");
  const own: (string | [string, Row[]])[] = entry.kind === "group"
    ? [["Commands", entry.commands.map((each) => [each.name, each.brief])]]
    : [...argumentSection(entry), ["Options", optionRows(entry.options)]];
  return sections([
    `Usage: ${words} ${entry.kind === "group" ? "COMMAND" : usage(entry)}`.trimEnd(),
    entry.description === undefined ? entry.brief : `${entry.brief}\n\n${entry.description}`,
    ["Examples", entry.examples.map(([line, meaning]) => [line, meaning])],
    ...own,
    ["Options of all commands", optionRows(GLOBAL_OPTIONS)],
  ]);
}

/** `minime help TOPIC`. */
export function topicHelp(topic: (typeof HELP_TOPICS)[number]): string {
  switch (topic) {
    case "exit-codes":
      return sections(["Exit codes of minime", ["Codes", EXIT_CODE_MEANINGS]]);
    case "nodesets":
      return sections(["Nodesets name many nodes in few characters", ["Forms", NODESET_FORMS]]);
    case "environment":
      return sections(["Environment variables that minime reads", ["Variables", VARIABLES]]);
  }
}

const NODESET_FORMS: readonly Row[] = [
  ["n[1-4]", "n1 n2 n3 n4"],
  ["n[001-100/2]", "every second one, numbers padded to three digits"],
  ["r[1-2]n[1-4]", "both ranges, every combination"],
  ["a,b", "union"],
  ["a!b", "a without b"],
  ["a&b", "those in both"],
  ["a^b", "those in one but not in both"],
  ["@group", "the nodes of a group"],
  ["*  n*", "all nodes; those whose names fit"],
  ["^FILE", "the sets in a file, one a line"],
  ["-", "the sets on stdin"],
  ["", "Operators are read from left to right. Quote a set for your shell: 'n[1-4]'"],
];

const VARIABLES: readonly Row[] = [
  ["MINIME_MESH", "which mesh, as --mesh"],
  ["MINIME_DEBUG", "1: show the stack of errors"],
  ["NO_COLOR", "set to anything: no colours"],
  ["XDG_CONFIG_HOME", "keys and node lists are in minime/MESH below it; default ~/.config"],
  ["XDG_STATE_HOME", "sockets and logs are in minime/MESH/NODE below it; default ~/.local/state"],
];

function usage(command: Command): string {
  const words = Object.keys(command.options).length > 0 ? ["[OPTIONS]"] : [];
  const args = command.args;
  if (args !== undefined) {
    const named = args.placeholder.split(" ").length;
    const many = args.maximum === undefined || args.maximum > named;
    const one = `${args.placeholder}${many ? "..." : ""}`;
    words.push((args.minimum ?? 0) === 0 ? `[${one}]` : one);
  }
  return words.join(" ");
}

function argumentSection(command: Command): [string, Row[]][] {
  const args = command.args;
  return args === undefined ? [] : [["Arguments", [[args.placeholder, args.brief]]]];
}

function optionRows(options: Readonly<Record<string, Option>>): Row[] {
  return Object.entries(options).map(([name, option]) => {
    const letter = option.letter === undefined ? "    " : `-${option.letter}, `;
    const value = option.kind === "flag" ? "" : ` ${option.placeholder}`;
    const shown = option.kind === "value" && option.default !== undefined
      ? ` (default ${
        /^\S+$/.test(option.default) ? option.default : JSON.stringify(option.default)
      })`
      : "";
    return [`${letter}--${dashed(name)}${value}`, option.brief + shown];
  });
}

/** Sections without rows are left out. */
function sections(parts: readonly (string | readonly [string, readonly Row[]])[]): string {
  return parts.flatMap((part) => {
    if (typeof part === "string") return [part];
    const [title, rows] = part;
    if (rows.length === 0) return [];
    const width = Math.max(...rows.map(([name]) => name.length));
    const lines = rows.map(([name, text]) => `  ${padText(name, width)}  ${text}`.trimEnd());
    return [`${title}:\n${lines.join("\n")}`];
  }).join("\n\n") + "\n";
}
