/**
 * The scripts behind `minime completion SHELL`. They know nothing about the commands: each press of
 * the tab key asks `minime __complete`, so they never grow old.
 */

import { UsageError } from "../../core/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import { didYouMean } from "../shared/suggest.ts";
import bash from "./completion/minime.bash" with { type: "text" };
import fish from "./completion/minime.fish" with { type: "text" };
import zsh from "./completion/minime.zsh" with { type: "text" };

const SCRIPTS = { bash, zsh, fish } as const;

export const SHELLS = ["bash", "zsh", "fish"] as const;

export function printScript(
  context: CommandContext,
  _options: unknown,
  args: readonly string[],
): Promise<void> {
  const wanted = args[0] ?? "";
  const shell = SHELLS.find((each) => each === wanted);
  if (shell === undefined) {
    throw new UsageError(`No completion for shell "${wanted}"${didYouMean(wanted, SHELLS)}`, {
      hint: `There is one for ${SHELLS.join(", ")}`,
    });
  }
  context.out.write(SCRIPTS[shell]);
  return Promise.resolve();
}
