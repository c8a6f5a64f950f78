/**
 * What there is to copy, in batches: a folder, the files and links in it, then the folders in it. Links
 * are kept as links; only what was named itself is followed, as cp and scp do.
 */

import {
  type Disk,
  type DiskFacts,
  errorText,
  FileError,
  MinimeError,
  NotFoundError,
} from "../../core/mod.ts";
import type { OddNames, Sha256 } from "../../core/mod.ts";
import type { Ground } from "./ground.ts";
import { BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, PIECE_BYTES } from "./limits.ts";
import { joined, lastOf, parentOf } from "./names.ts";
import type { Problems } from "./problems.ts";
import { type Entry, STICKY, weightOf } from "./records.ts";

/** Something that was named to be copied. */
export interface Root {
  /** Absolute, or from where the program was started. */
  readonly path: string;
  /** What it is called where it arrives; empty: only what is in it goes, into what is there. */
  readonly name: string;
}

/** A file of a batch, and where it lies here. */
export interface SourceFile {
  readonly folder: string;
  readonly name: string;
  readonly size: number;
  readonly modified: number;
  /** As of {@link DiskFacts}. */
  readonly id: string;
}

export interface Batch {
  readonly entries: readonly Entry[];
  readonly files: readonly SourceFile[];
}

export interface WalkOptions {
  readonly ground: Ground;
  readonly roots: readonly Root[];
  readonly problems: Problems;
  /** Throws for a path that must not be read. @default none */
  readonly check?: (realPath: string) => void;
  /** Hashes of files go along, to be compared even where times are the same. @default times count */
  readonly startSum?: () => Sha256;
}

export function* walk(options: WalkOptions): Generator<Batch, void, void> {
  yield* new Walk(options).run();
}

class Walk {
  readonly #options: WalkOptions;
  #entries: Entry[] = [];
  #files: SourceFile[] = [];
  #bytes = 0;
  readonly #oddNames: OddNames;

  constructor(options: WalkOptions) {
    this.#options = options;
    this.#oddNames = options.ground.disk.oddNames();
  }

  *run(): Generator<Batch, void, void> {
    using _ = this.#oddNames;
    for (const root of this.#options.roots) {
      try {
        yield* this.#root(root);
      } catch (error) {
        this.#options.problems.addError(error);
      }
    }
    if (this.#entries.length > 0) yield this.#take();
  }

  *#root({ path, name }: Root): Generator<Batch, void, void> {
    const { ground, check } = this.#options;
    const { disk } = ground;
    const facts = disk.followed(path);
    if (facts === undefined) throw nothingAt(disk, path);
    const real = disk.realPath(path);
    check?.(real);
    if (facts.kind === "folder") {
      if (name !== "") this.#add(folderRecord(name, facts));
      return yield* this.#folder(real, name);
    }
    if (facts.kind !== "file") throw noFile(path);
    ground.enter(parentOf(real) || "/");
    this.#add(["in", ""]);
    this.#file(lastOf(real), name);
    if (this.#isFull) yield this.#take();
  }

  /** What is in it; its own record is there already. */
  *#folder(real: string, path: string): Generator<Batch, void, void> {
    const { ground, problems } = this.#options;
    const { disk } = ground;
    const folders: string[] = [];
    this.#add(["in", path]);
    try {
      ground.enter(real);
      const names = disk.list(ground.here);
      const odd = this.#oddNames.in(ground.here);
      for (const name of odd) problems.addError(noText(joined(real, escaped(name))));
      const distorted = new Set(odd.map((name) => new TextDecoder().decode(name)));
      for (const name of names) {
        // Whoever takes our batch may have gone elsewhere.
        ground.enter(real);
        const facts = disk.facts(ground.at(name));
        if (facts?.kind === "folder") folders.push(name);
        else if (facts?.kind === "file") this.#file(name, name);
        else if (facts?.kind === "link") this.#link(name);
        else if (facts === undefined) {
          if (!distorted.has(name)) problems.addError(gone(joined(real, name)));
        } else problems.addError(noFile(joined(real, name)));
        if (this.#isFull) {
          yield this.#take();
          this.#add(["in", path]);
        }
      }
    } catch (error) {
      if (!(error instanceof MinimeError)) throw error;
      // Where it stands it is but a dot.
      problems.add(errorText(error).replaceAll('"."', `"${real}"`));
    }
    for (const name of folders) {
      const below = joined(real, name);
      try {
        ground.enter(real);
        const facts = disk.facts(ground.at(name));
        if (facts?.kind !== "folder") continue;
        this.#add(folderRecord(joined(path, name), facts));
      } catch (error) {
        problems.addError(error);
        continue;
      }
      yield* this.#folder(below, joined(path, name));
    }
  }

  #file(name: string, to: string): void {
    const { ground, problems, startSum } = this.#options;
    try {
      const { file, facts } = ground.open(name, "read");
      using _ = file;
      const { size, mode, modified, id } = facts;
      if (size === 0 && isMadeUp(ground.shown(""))) throw madeUp(ground.shown(name));
      const entry = ["f", to, size, mode & 0o777, modified] as const;
      this.#add(startSum === undefined ? entry : [...entry, sumOf(file, startSum())]);
      this.#files.push({ folder: ground.shown(""), name, size, modified, id });
    } catch (error) {
      problems.addError(ground.explain(error, name));
    }
  }

  #link(name: string): void {
    const { ground, problems } = this.#options;
    try {
      this.#add(["l", name, ground.disk.readLink(ground.at(name))]);
    } catch (error) {
      problems.addError(ground.explain(error, name));
    }
  }

  get #isFull(): boolean {
    return this.#entries.length >= BATCH_ENTRIES_MAX || this.#bytes >= BATCH_BYTES_MAX;
  }

  #add(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += weightOf(entry);
  }

  #take(): Batch {
    const batch = { entries: this.#entries, files: this.#files };
    this.#entries = [];
    this.#files = [];
    this.#bytes = 0;
    return batch;
  }
}

/** Of what is left of a file from here on, or of so many bytes. */
export function sumOf(
  file: { read(into: Uint8Array): number | null },
  sum: Sha256,
  bytes: number = Infinity,
): Uint8Array {
  return readInto(file, sum, bytes).digest();
}

/** As {@link sumOf}, to go on with. */
export function readInto(
  file: { read(into: Uint8Array): number | null },
  sum: Sha256,
  bytes: number,
): Sha256 {
  const buffer = new Uint8Array(Math.min(bytes, PIECE_BYTES));
  for (let left = bytes; left > 0;) {
    const count = file.read(buffer.subarray(0, Math.min(left, buffer.length)));
    if (count === null) break;
    sum.update(buffer.subarray(0, count));
    left -= count;
  }
  return sum;
}

function folderRecord(path: string, { mode, modified }: DiskFacts): Entry {
  return ["d", path, mode & 0o777, modified, (mode & STICKY) !== 0];
}

function nothingAt(disk: Disk, path: string): NotFoundError {
  const isLink = disk.facts(path)?.kind === "link";
  return new NotFoundError(
    isLink ? `The link "${path}" leads nowhere` : `There is no "${path}"`,
  );
}

function noFile(path: string): FileError {
  return new FileError(
    "wrong-kind",
    `"${path}" is left out: it is neither a file nor a folder nor a link`,
  );
}

function gone(path: string): NotFoundError {
  return new NotFoundError(`"${path}" has gone while its folder was read`);
}

/**
 * What a kernel makes up when it is asked says no size. It is not read to find out: some of it waits for
 * something to happen, for ever.
 */
function isMadeUp(folder: string): boolean {
  return /^\/(proc|sys)(\/|$)/.test(folder);
}

function madeUp(path: string): FileError {
  const text = "is left out: the kernel makes it up, without a size";
  return new FileError("other", `"${path}" ${text}; "cat" has it, at a node by "minime exec"`);
}

function noText(path: string): FileError {
  return new FileError("other", `"${path}" is left out: its name is not UTF-8`);
}

/** As `ls -b` shows a name in the plainest locale, but in hex, and as a shell takes it in $'...'. */
function escaped(name: Uint8Array): string {
  const shown = (byte: number) => byte === 0x5c ? "\\\\" : String.fromCharCode(byte);
  return Array.from(name, (byte) => byte > 0x7f ? `\\x${byte.toString(16)}` : shown(byte)).join("");
}
