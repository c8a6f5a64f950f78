/**
 * Which commands a command line is about: the one that it names is loaded alone, since to read and
 * build all of them takes longer than most of them run. Help, completion and mistakes need all.
 */

import type { ListedCommand } from "../shared/command.ts";
import { commandWord } from "./arrange.ts";
import type { Entry } from "./entries.ts";
import type { Runtime } from "./version.ts";

/** In the order of their list. */
const OWN = ["nodeset", "completion", "help", "version", "daemon", "__complete"];

/** The command that `words` name, or all there are: those of the modules and the command line's own. */
export async function typedCommands(
  words: readonly string[],
  { modules, runtime }: {
    readonly modules: readonly ListedCommand[];
    readonly runtime: Runtime;
  },
): Promise<readonly Entry[]> {
  const listed: readonly ListedCommand[] = [
    ...modules,
    ...ownCommands(() => loadAll(listed), runtime),
  ];
  const word = commandWord(words);
  const named = listed.find(({ name }) => name === word);
  return named === undefined ? await loadAll(listed) : [await named.load()];
}

/** The commands that belong to no module; `all` loads the whole tree. */
export function ownCommands(
  all: () => Promise<readonly Entry[]>,
  runtime: Runtime,
): readonly ListedCommand[] {
  return OWN.map((name) => ({
    name,
    load: async () => {
      const { cliCommands } = await import("./commands.ts");
      const entry = cliCommands(all, runtime).find((each) => each.name === name);
      if (entry === undefined) throw new TypeError(`No command "${name}" is declared`);
      return entry;
    },
  }));
}

async function loadAll(listed: readonly ListedCommand[]): Promise<readonly Entry[]> {
  return await Promise.all(listed.map((each) => each.load()));
}
