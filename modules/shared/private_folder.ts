/**
 * Folders and files that hold keys or sockets: ours alone (0700 and 0600), never behind a symbolic
 * link. Everything else is refused with the command that puts it right (SECURITY.md R9). Used by
 * the mesh's home and by the daemon's state folder.
 */

import { type Environment, type FileFacts, MinimeError } from "../../core/mod.ts";

type Needs = Pick<Environment, "files" | "processes">;

/** Makes the folder when it is missing; refuses one that others own or may enter. */
export async function makePrivateFolder(env: Needs, path: string): Promise<void> {
  await env.files.makeFolder(path, { mode: 0o700 });
  await checkPrivateFolder(env, path);
}

/** Returns false when there is no such folder. */
export async function checkPrivateFolder(env: Needs, path: string): Promise<boolean> {
  const facts = await env.files.facts(path);
  if (facts === undefined) return false;
  check(env, path, facts, "folder");
  return true;
}

/** Undefined when there is no such file. */
export async function readPrivateFile(
  env: Needs,
  path: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const facts = await env.files.facts(path);
  if (facts === undefined) return undefined;
  check(env, path, facts, "file");
  return await env.files.read(path);
}

function check(env: Needs, path: string, facts: FileFacts, wanted: "file" | "folder"): void {
  if (facts.kind !== wanted) {
    throw new MinimeError(`"${path}" must be a ${wanted}, it is a ${kindText(facts.kind)}`);
  }
  const uid = env.processes.uid;
  if (facts.uid !== uid) {
    throw new MinimeError(
      `"${path}" belongs to user ${facts.uid}, not to you (user ${uid}): if you trust what is in ` +
        `it, run: chown ${uid} ${shellQuoted(path)}`,
    );
  }
  if ((facts.mode & 0o077) !== 0) {
    const right = wanted === "folder" ? "700" : "600";
    const mode = (facts.mode & 0o7777).toString(8).padStart(4, "0");
    throw new MinimeError(
      `"${path}" is open to others (mode ${mode}): run: chmod ${right} ${shellQuoted(path)}`,
    );
  }
}

function kindText(kind: FileFacts["kind"]): string {
  return kind === "other" ? "symbolic link or device" : kind;
}

/** As one word of a POSIX shell. */
export function shellQuoted(text: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * A base folder of the XDG specification: the variable if it holds an absolute path, else
 * `fallback` below the home folder.
 */
export function baseFolder(
  env: Pick<Environment, "processes">,
  variable: "XDG_CACHE_HOME" | "XDG_CONFIG_HOME" | "XDG_STATE_HOME",
  fallback: string,
): string {
  const given = env.processes.variable(variable);
  if (given !== undefined && given.startsWith("/")) return withoutSlash(given);
  const home = env.processes.variable("HOME");
  if (home !== undefined && home.startsWith("/")) return `${withoutSlash(home)}/${fallback}`;
  throw new MinimeError(`Neither ${variable} nor HOME names a folder: set one of them`);
}

function withoutSlash(path: string): string {
  return path.replace(/\/+$/, "");
}
