/** Where a copy goes, by the rules of cp: into a folder that is there, or under a new name. */

import { type Disk, FileError, NotFoundError } from "../../core/mod.ts";
import { joined, lastOf, parentOf } from "./names.ts";

export interface Destination {
  /** A folder, absolute and without links. */
  readonly base: string;
  /** What the one thing that is copied is called there. @default its own name */
  readonly rename?: string;
  /** Perhaps it is what a copy of that one thing has begun under a new name: see findBegun. */
  readonly mayBeBegun?: boolean;
}

/** `path` is absolute. Throws NotFoundError or FileError with what is wrong with it. */
export function findDestination(
  disk: Disk,
  path: string,
  options: { readonly single: boolean },
): Destination {
  const there = disk.followed(path);
  if (there?.kind === "folder") {
    return { base: disk.realPath(path), mayBeBegun: options.single && !path.endsWith("/") };
  }
  if (there !== undefined && there.kind !== "file") {
    throw new FileError("wrong-kind", `"${path}" is neither a file nor a folder`);
  }
  if (!options.single || path.endsWith("/")) {
    if (there === undefined) throw new NotFoundError(`There is no folder "${path}"`);
    throw new FileError("wrong-kind", `"${path}" is no folder`);
  }
  const parent = parentOf(path) || "/";
  const above = disk.followed(parent);
  if (above === undefined) throw new NotFoundError(`There is no folder "${parent}"`);
  if (above.kind !== "folder") throw new FileError("wrong-kind", `"${parent}" is no folder`);
  return { base: disk.realPath(parent), rename: lastOf(path) };
}

/** The first name of a path that the sender has chosen becomes the new one. */
export function renamed(path: string, { rename }: Destination): string {
  if (rename === undefined || path === "") return path;
  const slash = path.indexOf("/");
  return slash < 0 ? rename : joined(rename, path.slice(slash + 1));
}
