/**
 * Names and paths that another machine has sent: only what names something below the folder that we
 * write to, never that folder itself, its parent, or a place of the other machine's choice.
 */

import { ProtocolError } from "../../core/mod.ts";
import { NAME_BYTES_MAX, PATH_BYTES_MAX } from "./limits.ts";

const encoder = new TextEncoder();

/** Whether it can be the name of something in a folder. */
export function isFileName(name: unknown): name is string {
  return typeof name === "string" && name !== "" && name !== "." && name !== ".." &&
    !name.includes("/") && !name.includes("\0") && name.isWellFormed() &&
    encoder.encode(name).length <= NAME_BYTES_MAX;
}

/** Names one below the other; empty: the folder where it all begins. Throws ProtocolError. */
export function checkedPath(path: unknown): string {
  if (path === "") return path;
  if (
    typeof path === "string" && path.length <= PATH_BYTES_MAX && path.split("/").every(isFileName)
  ) {
    return path;
  }
  throw new ProtocolError("A path leads out of the copy, or is none");
}

/** "a/b" of "a/b/c"; empty for a single name. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** "c" of "a/b/c". */
export function lastOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** One below the other; either may be empty. */
export function joined(folder: string, name: string): string {
  if (name === "") return folder;
  if (folder === "") return name;
  return folder.endsWith("/") ? folder + name : `${folder}/${name}`;
}
