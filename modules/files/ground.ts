/**
 * Where files are read and written. A process that copies for somebody stands in the folder itself: it
 * goes there, asks the kernel where it is, and from then on uses bare names, so that nobody who replaces
 * a part of the path with a link leads it elsewhere. Our own command line copies for several nodes at
 * once and so cannot stand anywhere; it makes sure that no part of the path is a link.
 */

import type { Disk, DiskFacts, DiskFile } from "../../core/mod.ts";
import { errorText, FileError, MinimeError, NotFoundError } from "../../core/mod.ts";
import { joined } from "./names.ts";

export class Ground {
  readonly disk: Disk;
  readonly #stands: boolean;
  #folder: string | undefined;

  constructor(disk: Disk, options: { readonly stands: boolean }) {
    this.disk = disk;
    this.#stands = options.stands;
  }

  /** Absolute, without links. Throws FileError when a part of it has become one. */
  enter(folder: string): void {
    if (this.#folder === folder) return;
    this.#folder = undefined;
    if (this.#stands) this.disk.enter(folder);
    const real = this.#stands ? this.disk.here() : this.disk.realPath(folder);
    if (real !== folder) {
      throw new FileError("wrong-kind", `Could not enter "${folder}": a part of it is a link`);
    }
    this.#folder = folder;
  }

  /** Path of a name in the folder that was entered, for the disk. */
  at(name: string): string {
    return this.#stands ? name : joined(this.#folder ?? "", name);
  }

  /** Path of that folder, for the disk. */
  get here(): string {
    return this.#stands ? "." : this.#folder ?? "";
  }

  /** For a person. */
  shown(name: string): string {
    return joined(this.#folder ?? "", name);
  }

  /** An error of the disk's about a name, in words for a person: about `meant`, where it really lies. */
  explain(error: unknown, name: string, meant: string = name): unknown {
    if (!(error instanceof MinimeError)) return error;
    const text = errorText(error).replaceAll(`"${this.at(name)}"`, `"${this.shown(meant)}"`);
    const options = { cause: error };
    if (error instanceof FileError) return new FileError(error.reason, text, options);
    return error instanceof NotFoundError ? new NotFoundError(text, options) : error;
  }

  /** A plain file of that name; throws FileError when it is something else, or becomes so meanwhile. */
  open(
    name: string,
    how: "read" | "write",
  ): { readonly file: DiskFile; readonly facts: DiskFacts } {
    const before = this.disk.facts(this.at(name));
    // Opening a pipe would wait for its other end.
    if (before !== undefined && before.kind !== "file") throw this.#noFile(name);
    const file = this.disk.open(this.at(name), how);
    const facts = file.facts();
    if (facts.kind === "file" && facts.id === before?.id) return { file, facts };
    file.close();
    throw this.#noFile(name);
  }

  #noFile(name: string): FileError {
    return new FileError("wrong-kind", `Could not open "${this.shown(name)}": it is no plain file`);
  }
}
