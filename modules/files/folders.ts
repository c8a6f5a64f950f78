/**
 * The folders of a copy: made as they are listed, so that files can be written into them; their modes
 * and times are set when nothing more comes into them.
 */

import { FileError } from "../../core/mod.ts";
import type { Ground } from "./ground.ts";
import { joined, lastOf, parentOf } from "./names.ts";
import type { Problems } from "./problems.ts";
import { STICKY } from "./records.ts";

interface FolderFacts {
  readonly mode: number;
  readonly modified: number;
  /** Undefined: whoever sends does not say. */
  readonly isSticky: boolean | undefined;
}

interface OpenFolder extends FolderFacts {
  /** Below the base. */
  readonly path: string;
  /** It was there before, and may be somebody else's. */
  readonly isOld: boolean;
}

/** What the owner needs to write into one. */
const OWNER = 0o700;
/** They stay as they are, or as a new one has got them from the folder that it is in. */
const SET_ID = 0o6000;

export class Folders {
  readonly #ground: Ground;
  readonly #base: string;
  readonly #problems: Problems;
  #open: OpenFolder[] = [];
  /** Below the base. */
  #path = "";
  /** One that cannot be written to: what is below it is left out. */
  #blocked: string | undefined;

  constructor(ground: Ground, base: string, problems: Problems) {
    this.#ground = ground;
    this.#base = base;
    this.#problems = problems;
  }

  get isBase(): boolean {
    return this.#path === "";
  }

  /** Absolute; undefined when it could not be made. */
  get here(): string | undefined {
    return this.#isBlocked(this.#path) ? undefined : joined(this.#base, this.#path);
  }

  enter(path: string): void {
    this.#path = path;
  }

  /** False when it was there, or could not be made. */
  make(path: string, facts: FolderFacts): boolean {
    this.#path = path;
    if (this.#isBlocked(path)) return false;
    const { disk } = this.#ground;
    const name = lastOf(path);
    try {
      this.#ground.enter(joined(this.#base, parentOf(path)));
      const there = disk.facts(this.#ground.at(name));
      if (there === undefined) {
        this.#makeHere(name, facts.mode | OWNER);
        // At once: what comes into it must not be anybody's to remove.
        if (facts.isSticky) this.#setMode({ ...facts, path, mode: facts.mode | OWNER });
      } else if (there.kind !== "folder") {
        throw new FileError("wrong-kind", `"${this.#ground.shown(name)}" is no folder`);
      }
      this.#open.push({ path, ...facts, isOld: there !== undefined });
      return there === undefined;
    } catch (error) {
      this.#problems.addError(this.#ground.explain(error, name));
      this.#blocked = path;
      return false;
    }
  }

  /** Another node may do the same on the same disk. */
  #makeHere(name: string, mode: number): void {
    const { disk } = this.#ground;
    try {
      disk.makeFolder(this.#ground.at(name), mode);
    } catch (error) {
      if (disk.facts(this.#ground.at(name))?.kind !== "folder") throw error;
    }
  }

  /** Those that the list has left. */
  finish(): void {
    const isDone = ({ path }: OpenFolder) => path !== this.#path && !isBelow(this.#path, path);
    const done = this.#open.filter(isDone);
    this.#open = this.#open.filter((each) => !isDone(each));
    for (const folder of done.reverse()) this.#set(folder);
  }

  finishAll(): void {
    for (const folder of this.#open.splice(0).reverse()) this.#set(folder);
  }

  #set(folder: OpenFolder): void {
    const { modified, isOld } = folder;
    try {
      this.#setMode(folder);
      this.#ground.disk.setModified(this.#ground.here, modified);
    } catch (error) {
      // Only its owner may do that.
      if (isOld && error instanceof FileError && error.reason === "denied") return;
      this.#problems.addError(error);
    }
  }

  #setMode({ path, mode, isSticky }: Omit<OpenFolder, "isOld">): void {
    const { disk } = this.#ground;
    this.#ground.enter(joined(this.#base, path));
    const { here } = this.#ground;
    const before = disk.facts(here)?.mode ?? 0;
    const kept = before & (isSticky === undefined ? SET_ID | STICKY : SET_ID);
    const wanted = mode | kept | (isSticky ? STICKY : 0);
    // Who is not of its group would lose the group's bit merely by asking.
    if (wanted !== before) disk.setMode(here, wanted);
  }

  #isBlocked(path: string): boolean {
    return this.#blocked !== undefined && (path === this.#blocked || isBelow(path, this.#blocked));
  }
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}
