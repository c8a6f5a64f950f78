/**
 * A file on its way: it lies beside the one that it will become, under a name of its own, and takes its
 * place in one step when all of it is there. What is left of an interrupted one is found again by that
 * name, which is the same for the same node, sender and file.
 *
 * Two copies at once to one place have one name for it: who writes it holds a lock on it, and the other
 * one is refused. Where the disk has no locks, whoever has lost it to the other finds that out by
 * `isPartOf` and must not put it in place.
 *
 * Its mode is right from the beginning, since a mode that is changed by name could be that of another
 * file by then.
 */

import type { DiskFile, Sha256 } from "../../core/mod.ts";
import { FileError, NotFoundError, toHex } from "../../core/mod.ts";
import type { Ground } from "./ground.ts";
import { PART_BYTES_MIN, PART_KEPT_MS } from "./limits.ts";
import { readInto, sumOf } from "./walk.ts";

const NAME_BYTES = 8;
const PATTERN = /^\.minime-[0-9a-f]{16}\.part$/;

/** `key` says who sends to whom. */
export function partName(
  name: string,
  options: { readonly key: string; readonly startSha256: () => Sha256 },
): string {
  const sum = options.startSha256();
  sum.update(new TextEncoder().encode(`${options.key}\0${name}`));
  return `.minime-${toHex(sum.digest().subarray(0, NAME_BYTES))}.part`;
}

export interface PartOptions {
  readonly ground: Ground;
  readonly uid: number;
  readonly startSha256: () => Sha256;
}

/** What is left of a file with that mode, in the folder that was entered; undefined: nothing of use. */
export function findPart(
  { ground, uid, startSha256 }: PartOptions,
  { name, mode, size }: { readonly name: string; readonly mode: number; readonly size: number },
): { readonly size: number; readonly sum: Uint8Array } | undefined {
  const facts = ground.disk.facts(ground.at(name));
  const isOurs = facts?.kind === "file" && facts.uid === uid && facts.names === 1;
  if (!isOurs || facts.mode !== mode || facts.size < PART_BYTES_MIN || facts.size > size) {
    return undefined;
  }
  try {
    // What must not be written cannot be gone on with.
    const { file } = ground.open(name, "write");
    using _ = file;
    return { size: facts.size, sum: sumOf(file, startSha256(), facts.size) };
  } catch (error) {
    // Of no use, and made anew.
    if (error instanceof FileError || error instanceof NotFoundError) return undefined;
    throw error;
  }
}

/** Ready to be written from there on, with the hash of what lies before. */
export function openPart(
  { ground, uid, startSha256 }: PartOptions,
  { name, mode, from }: { readonly name: string; readonly mode: number; readonly from: number },
): { readonly file: DiskFile; readonly sum: Sha256 } {
  const { disk } = ground;
  if (from === 0) {
    removeUnused(ground, name);
    const file = disk.create(ground.at(name), mode);
    if (lock(file)) return { file, sum: startSha256() };
    file.close();
    throw inUse(ground, name);
  }
  const { file, facts } = ground.open(name, "write");
  try {
    // Who had it may have put it in place just before it was ours.
    if (!lock(file) || !isPartOf(ground, { name, file })) throw inUse(ground, name);
    if (facts.uid !== uid || facts.names !== 1 || facts.mode !== mode || facts.size < from) {
      throw new FileError("other", `What was left of a file is no longer there to go on with`);
    }
    const sum = readInto(file, startSha256(), from);
    file.cut(from);
    file.seek(from);
    return { file, sum };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Whether what has that name, in the folder that was entered, still is that open file. */
export function isPartOf(
  ground: Ground,
  { name, file }: { readonly name: string; readonly file: DiskFile },
): boolean {
  return ground.disk.facts(ground.at(name))?.id === file.facts().id;
}

/** Throws FileError when somebody writes it. */
function removeUnused(ground: Ground, name: string): void {
  if (ground.disk.facts(ground.at(name))?.kind === "file") {
    using file = openToLock(ground, name);
    if (file !== undefined && !lock(file)) throw inUse(ground, name);
    // Ours until it has no name any more.
    return removePart(ground, name);
  }
  removePart(ground, name);
}

/** Undefined when it cannot be read, and so says nothing. */
function openToLock(ground: Ground, name: string): DiskFile | undefined {
  try {
    return ground.open(name, "read").file;
  } catch (error) {
    if (error instanceof FileError || error instanceof NotFoundError) return undefined;
    throw error;
  }
}

function lock(file: DiskFile): boolean {
  try {
    return file.tryLock();
  } catch (error) {
    // A disk without locks.
    if (error instanceof FileError) return true;
    throw error;
  }
}

function inUse(ground: Ground, name: string): FileError {
  return new FileError("other", `Could not write "${ground.at(name)}": another copy writes it now`);
}

/** Nothing, when there is none. */
export function removePart(ground: Ground, name: string): void {
  if (ground.disk.facts(ground.at(name)) !== undefined) ground.disk.remove(ground.at(name));
}

/** Removes from the folder that was entered what nobody has resumed for long. */
export function removeOldParts(
  ground: Ground,
  { uid, now }: { readonly uid: number; readonly now: number },
): void {
  for (const name of ground.disk.list(ground.here)) {
    if (!PATTERN.test(name)) continue;
    const facts = ground.disk.facts(ground.at(name));
    if (facts?.kind !== "file" || facts.uid !== uid) continue;
    // Its time may be that of the file which it becomes.
    if (now - facts.changed > PART_KEPT_MS) removePart(ground, name);
  }
}
