/**
 * Files that say what a daemon does, or that it runs: nobody but root and the user of the daemon may
 * be able to change them, or a folder on the way to them, as ssh wants it of its own. Everything else
 * is refused with the command that puts it right. Of a chain of symbolic links the first and what the
 * last one leads to are looked at, and the folders of both.
 */

import { type Environment, type FileFacts, UsageError } from "../../core/mod.ts";
import { shellQuoted } from "./private_folder.ts";

type Needs = Pick<Environment, "files" | "processes">;

const OTHERS_WRITE = 0o022;
/** In a folder with this bit nobody can take the place of what others have made. */
const STICKY = 0o1000;

/** A file that is not there is nobody's. @throws UsageError */
export async function requireTrusted(env: Needs, path: string): Promise<void> {
  const real = await env.files.realPath(path);
  if (real === undefined) return;
  // What a symbolic link says is worth as much as the folder in which it lies.
  for (const each of new Set([...placesOf(path), ...placesOf(real)])) {
    const facts = await env.files.facts(each);
    if (facts !== undefined) check(env, each, facts);
  }
}

/** The file and all folders on the way to it. */
function placesOf(path: string): string[] {
  const places: string[] = [];
  for (let end = path.length; end > 0; end = path.lastIndexOf("/", end - 1)) {
    places.push(path.slice(0, end));
  }
  return path.startsWith("/") ? [...places, "/"] : [...places, "."];
}

function check({ processes: { uid } }: Needs, path: string, facts: FileFacts): void {
  if (facts.uid !== 0 && facts.uid !== uid) {
    const chown = facts.kind === "other" ? "chown -h" : "chown";
    throw new UsageError(
      `"${path}" belongs to user ${facts.uid}, who could change what this daemon does: if you trust ` +
        `what is in it, run: ${chown} ${uid} ${shellQuoted(path)}`,
    );
  }
  // What the mode of a link says means nothing.
  if (facts.kind === "other") return;
  const isSticky = facts.kind === "folder" && (facts.mode & STICKY) !== 0;
  if ((facts.mode & OTHERS_WRITE) === 0 || isSticky) return;
  const mode = facts.mode.toString(8).padStart(4, "0");
  throw new UsageError(
    `"${path}" can be changed by others (mode ${mode}), and so what this daemon does: if you trust ` +
      `what is in it, run: chmod go-w ${shellQuoted(path)}`,
  );
}
