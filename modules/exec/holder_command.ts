/** `minime __holder`: the process that holds the background jobs of a node; its daemon starts it. */

import { errorText, raiseFileLimit } from "../../core/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import { EXIT } from "../shared/exit_code.ts";
import { Holder } from "./holder.ts";
import { HOLDER_READY } from "./holder_client.ts";

/** Returns when it has ended. */
export async function runHolder(
  { env, out, signal }: CommandContext,
  _options: unknown,
  [folder = "", node = ""]: readonly string[],
): Promise<number> {
  // As for the daemon: each program costs two pipes.
  raiseFileLimit();
  let holder: Holder;
  try {
    holder = await Holder.start(env, { folder, node });
  } catch (error) {
    // The daemon reads one line, and nobody else.
    out.print(errorText(error));
    return EXIT.allFailed;
  }
  out.print(HOLDER_READY);
  const stop = () => void holder.stop();
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  await holder.ended;
  return EXIT.ok;
}
