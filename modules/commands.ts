/**
 * The commands of all modules, in the order in which `minime help` lists them. A module's
 * commands.ts is data: nothing here loads an implementation.
 */

import type { Command, CommandGroup } from "./shared/command.ts";

export const commands: readonly (Command | CommandGroup)[] = [];
