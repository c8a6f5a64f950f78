/**
 * The folders of a copy: made as they are listed, so that files can be written into them; their modes
 * and times are set when nothing more comes into them.
 */

import { FileError } from "../../core/mod.ts";
import type { Ground } from "./ground.ts";
import { joined, lastOf, parentOf } from "./names.ts";
import type { Problems } from "./problems.ts";

interface OpenFolder {
  /** Below the base. */
  readonly path: string;
  readonly mode: number;
  readonly modified: number;
  /** It was there before, and may be somebody else's. */
  readonly isOld: boolean;
}

/** What the owner needs to write into one. */
const OWNER = 0o700;

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

  make(path: string, facts: { readonly mode: number; readonly modified: number }): void {
    this.#path = path;
    if (this.#isBlocked(path)) return;
    const { disk } = this.#ground;
    const name = lastOf(path);
    try {
      this.#ground.enter(joined(this.#base, parentOf(path)));
      const there = disk.facts(this.#ground.at(name));
      if (there === undefined) this.#makeHere(name, facts.mode | OWNER);
      else if (there.kind !== "folder") {
        throw new FileError("wrong-kind", `"${this.#ground.shown(name)}" is no folder`);
      }
      this.#open.push({ path, ...facts, isOld: there !== undefined });
    } catch (error) {
      this.#problems.addError(this.#ground.explain(error, name));
      this.#blocked = path;
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

  #set({ path, mode, modified, isOld }: OpenFolder): void {
    const { disk } = this.#ground;
    try {
      this.#ground.enter(joined(this.#base, path));
      const here = this.#ground.here;
      disk.setMode(here, mode);
      disk.setModified(here, modified);
    } catch (error) {
      // Only its owner may do that.
      if (isOld && error instanceof FileError && error.reason === "denied") return;
      this.#problems.addError(error);
    }
  }

  #isBlocked(path: string): boolean {
    return this.#blocked !== undefined && (path === this.#blocked || isBelow(path, this.#blocked));
  }
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}
