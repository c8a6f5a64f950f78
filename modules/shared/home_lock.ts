/**
 * One command at a time changes a mesh: two boots at once would make two sets of keys, or two halves
 * that have never heard of each other; a halt beside a boot would forget nodes that live. Whoever
 * comes second waits. Commands that only look do not ask.
 */

import { errorText, FileError } from "../../core/mod.ts";
import type { CommandContext } from "./command.ts";
import type { MeshHome } from "./mesh_home.ts";

/** Most commands are done sooner; a person who waits longer wants to know what for. */
const QUIET_MS_MAX = 500;

/** Held until disposed. Rejects with the signal's reason. */
export async function lockHome(
  { env, out, signal }: Pick<CommandContext, "env" | "out" | "signal">,
  home: MeshHome,
): Promise<Disposable> {
  const timer = env.clock.after(QUIET_MS_MAX, () => {
    out.note(`Waiting for another minime that is changing mesh "${home.name}"`);
  });
  try {
    return await env.files.lock(`${home.folder}/lock`, { signal });
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    // A read-only home is enough for halt, and not every network file system has locks.
    out.detail(`Cannot tell whether another minime changes the mesh: ${errorText(error)}`);
    return { [Symbol.dispose]: () => {} };
  } finally {
    timer.cancel();
  }
}
