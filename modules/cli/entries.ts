/**
 * The tree of commands as it is typed: finding a command by its words, and all the options that it
 * takes, the global ones included.
 */

import type { Command, CommandGroup, Options } from "../shared/command.ts";
import { choice, flag, type Option, text } from "../shared/option.ts";

export type Entry = Command | CommandGroup;

/** Every command takes these. */
export const GLOBAL_OPTIONS = {
  mesh: text("Which mesh; default $MINIME_MESH, or the only one, or the one made or booted last", {
    placeholder: "NAME",
    completion: "meshes",
  }),
  color: choice("Colours; auto: on a terminal, unless NO_COLOR is set", [
    "auto",
    "always",
    "never",
  ], { default: "auto" }),
  quiet: flag("Print results and errors only", { letter: "q" }),
  verbose: flag("Also say what is being done", { letter: "v" }),
} as const satisfies Options;

export function optionsOf(command: Command): Readonly<Record<string, Option>> {
  return { ...command.options, ...GLOBAL_OPTIONS };
}

/** By name alone: words like "constructor" find nothing. */
function findEntry(entries: readonly Entry[], name: string): Entry | undefined {
  return entries.find((entry) => entry.name === name);
}

/** Follows words as far as they name groups and commands. */
export function followWords(
  entries: readonly Entry[],
  words: readonly string[],
): { entry: Entry | undefined; path: readonly string[] } {
  let entry: Entry | undefined;
  let at = 0;
  let level = entries;
  for (; at < words.length; at++) {
    const next = findEntry(level, words[at] as string);
    if (next === undefined) break;
    entry = next;
    if (next.kind === "command") {
      at++;
      break;
    }
    level = next.commands;
  }
  return { entry, path: words.slice(0, at) };
}

/** startTimeout -> start-timeout. */
export function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
