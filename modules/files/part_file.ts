/**
 * A file on its way: it lies beside the one that it will become, under a name of its own, and takes its
 * place in one step when all of it is there. What is left of an interrupted one is found again by that
 * name, which is the same for the same node, sender and file.
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
    const { file } = ground.open(name, "read");
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
    removePart(ground, name);
    return { file: disk.create(ground.at(name), mode), sum: startSha256() };
  }
  const { file, facts } = ground.open(name, "write");
  try {
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
