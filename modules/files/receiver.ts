/**
 * Writes the files that somebody sends (see records.ts) below one folder, says what it needs of them,
 * and puts each in place when its content has arrived and its hash is right. What goes wrong with one
 * file leaves the others alone; a full disk ends it all.
 */

import { CallError, equalBytes, FileError, ProtocolError } from "../../core/mod.ts";
import type { Sha256 } from "../../core/mod.ts";
import { BegunFolder, findBegun } from "./begun_folder.ts";
import { type Destination, renamed } from "./destination.ts";
import { Folders } from "./folders.ts";
import type { Ground } from "./ground.ts";
import { BATCH_ENTRIES_MAX } from "./limits.ts";
import { joined } from "./names.ts";
import { findPart, partName, removePart } from "./part_file.ts";
import { Problems } from "./problems.ts";
import {
  type FileRecord,
  type FolderRecord,
  type NeedRecord,
  type Part,
  readPiece,
  type SentRecord,
  toRanges,
} from "./records.ts";
import type { Summary } from "./summary.ts";
import { sumOf } from "./walk.ts";
import { Writer } from "./writer.ts";

export interface ReceiveOptions {
  readonly ground: Ground;
  readonly destination: Destination;
  /** Who sends to whom; see partName. */
  readonly key: string;
  readonly uid: number;
  readonly now: () => number;
  readonly startSha256: () => Sha256;
  /** Ends it between two records: a piece may hold thousands of files, and take its time. @default never */
  readonly signal?: AbortSignal;
  /** Gets what the sender has listed and not sent, of which it says why itself. @default a problem */
  readonly missed?: Problems;
  /** Told of content that came, and of content that was there. */
  readonly onBytes?: (bytes: number) => void;
}

/** A file of the batch at hand. */
export interface WantedFile {
  /** Absolute. */
  readonly folder: string;
  readonly name: string;
  readonly part: string;
  readonly size: number;
  readonly mode: number;
  readonly modified: number;
}

/** Yields what it needs of each batch. Throws CallError when the whole cannot go on. */
export async function* receiveFiles(
  pieces: AsyncIterable<Uint8Array>,
  options: ReceiveOptions,
): AsyncGenerator<NeedRecord, Summary, void> {
  const receiver = new Receiver(options);
  try {
    for await (const piece of pieces) {
      for (const record of readPiece(piece)) {
        options.signal?.throwIfAborted();
        const need = await receiver.take(record);
        if (need !== undefined) yield need;
        if (receiver.isOver) return receiver.summary;
      }
    }
    throw new CallError("cancelled", "The files broke off");
  } finally {
    receiver.leave();
  }
}

class Receiver {
  readonly #options: ReceiveOptions;
  readonly #problems = new Problems();
  readonly #missed: Problems;
  readonly #writer: Writer;
  #destination: Destination;
  #folders: Folders;
  /** What is copied under a new name. */
  #begun: BegunFolder | undefined;
  /** By their index in the batch; undefined: the same already, or it could not be. */
  #files: (WantedFile | undefined)[] = [];
  /** Indices of those whose content has begun. */
  readonly #came = new Set<number>();
  #parts: Part[] = [];
  #batch = 0;
  /** The list is complete, and its content comes. */
  #asked = false;
  #same = 0;
  /** Something was listed. */
  #isListed = false;
  isOver = false;

  constructor(options: ReceiveOptions) {
    this.#options = options;
    this.#destination = options.destination;
    this.#folders = new Folders(options.ground, options.destination.base, this.#problems);
    this.#missed = options.missed ?? this.#problems;
    this.#writer = new Writer({ ...options, problems: this.#problems, missed: this.#missed });
  }

  get summary(): Summary {
    const { count: problems, shown } = this.#problems;
    const { files, bytes } = this.#writer;
    return { files, bytes, same: this.#same, problems, shown: [...shown] };
  }

  /** What is needed, when the sender asks. */
  async take(record: SentRecord): Promise<NeedRecord | undefined> {
    if (record instanceof Uint8Array) return void await this.#writer.write(record);
    switch (record[0]) {
      case "go":
        return void await this.#go(record[1], record[2]);
      case "sum":
        return void await this.#writer.finish(record[1]);
      case "skip":
        return void this.#writer.abandon();
      case "ask":
        return this.#ask(record[1]);
      case "end":
        await this.#settle();
        this.#unmark();
        this.#folders.finishAll();
        this.isOver = true;
        return undefined;
      default:
        if (this.#asked) await this.#settle();
        return void this.#list(record);
    }
  }

  /** Nothing more comes: what is not complete stays for the next time, or is removed. */
  leave(): void {
    this.#writer.leave();
  }

  #list(record: Exclude<SentRecord, Uint8Array>): void {
    const isFirst = !this.#isListed;
    this.#isListed = true;
    switch (record[0]) {
      case "in":
        return this.#folders.enter(renamed(record[1], this.#destination));
      case "d":
        return this.#folder(record, isFirst);
      case "f":
        return this.#file(record);
      case "l":
        return this.#link(this.#nameOf(record[1]), record[2]);
    }
  }

  #folder([, sent, mode, modified, isSticky]: FolderRecord, isFirst: boolean): void {
    const { ground, destination } = this.#options;
    if (isFirst) this.#destination = findBegun(this.#options, destination, sent);
    const goesOn = isFirst && this.#destination !== destination;
    const { base, rename } = this.#destination;
    if (goesOn) this.#folders = new Folders(ground, base, this.#problems);
    const path = renamed(sent, this.#destination);
    const isNew = this.#folders.make(path, { mode, modified, isSticky });
    if (path !== rename || !(isNew || goesOn)) return;
    const begun = new BegunFolder(this.#options, { path: joined(base, path), name: sent });
    this.#begun = begun;
    this.#tryMark(begun, () => begun.mark());
  }

  #unmark(): void {
    const begun = this.#begun;
    // What is not complete is to be run again.
    if (begun !== undefined && this.#problems.count === 0) {
      this.#tryMark(begun, () => begun.unmark());
    }
  }

  #tryMark(begun: BegunFolder, change: () => void): void {
    try {
      change();
    } catch (error) {
      this.#problems.addError(begun.explain(error));
    }
  }

  /** Of something right in the base the name may be a new one. */
  #nameOf(name: string): string {
    return this.#folders.isBase ? renamed(name, this.#destination) : name;
  }

  #file(record: FileRecord): void {
    if (this.#files.length >= BATCH_ENTRIES_MAX) {
      throw new ProtocolError("Too many files in a batch");
    }
    const name = this.#nameOf(record[1]);
    const folder = this.#folders.here;
    // Of a folder that could not be made that was said already.
    if (folder === undefined) return void this.#files.push(undefined);
    try {
      this.#files.push(this.#compare(folder, name, record));
    } catch (error) {
      this.#problems.addError(this.#options.ground.explain(error, name));
      this.#files.push(undefined);
    }
  }

  /** Undefined for one that is the same already. */
  #compare(folder: string, name: string, record: FileRecord): WantedFile | undefined {
    const { ground, key, startSha256, onBytes } = this.#options;
    const [, , size, mode, modified, sum] = record;
    ground.enter(folder);
    const facts = ground.disk.facts(ground.at(name));
    if (facts?.kind === "folder") {
      throw new FileError("wrong-kind", `Could not write "${ground.shown(name)}": it is a folder`);
    }
    const looksSame = facts?.kind === "file" && facts.size === size && facts.mode === mode;
    if (
      looksSame && (sum === undefined ? isSameTime(facts.modified, modified) : this.#has(name, sum))
    ) {
      this.#same++;
      onBytes?.(size);
      return undefined;
    }
    const part = partName(name, { key, startSha256 });
    const left = findPart(this.#options, { name: part, mode, size });
    if (left !== undefined) this.#parts.push([this.#files.length, left.size, left.sum]);
    return { folder, name, part, size, mode, modified };
  }

  #has(name: string, sum: Uint8Array): boolean {
    const { ground, startSha256 } = this.#options;
    const { file } = ground.open(name, "read");
    using _ = file;
    return equalBytes(sumOf(file, startSha256()), sum);
  }

  #link(name: string, target: string): void {
    const { ground, key, startSha256 } = this.#options;
    const { disk } = ground;
    const folder = this.#folders.here;
    if (folder === undefined) return;
    // Not that of a file, which another copy may write now.
    const part = partName(name, { key: `${key} link`, startSha256 });
    try {
      ground.enter(folder);
      const facts = disk.facts(ground.at(name));
      if (facts?.kind === "link" && disk.readLink(ground.at(name)) === target) {
        this.#same++;
        return;
      }
      removePart(ground, part);
      disk.makeLink(ground.at(part), target);
      this.#placeLink(part, name);
    } catch (error) {
      this.#problems.addError(ground.explain(error, part, name));
    }
  }

  /** In the folder that was entered. */
  #placeLink(part: string, name: string): void {
    const { ground } = this.#options;
    try {
      ground.disk.rename(ground.at(part), ground.at(name));
    } catch (error) {
      removePart(ground, part);
      throw error;
    }
  }

  #ask(batch: number): NeedRecord {
    if (this.#asked || batch !== this.#batch) throw new ProtocolError("Batches are out of order");
    this.#asked = true;
    const needed = this.#files.flatMap((file, index) => file === undefined ? [] : [index]);
    return ["need", batch, toRanges(needed), this.#parts];
  }

  async #go(index: number, from: number): Promise<void> {
    if (!this.#asked || index >= this.#files.length) throw new ProtocolError("Content of no file");
    const file = this.#files[index];
    // Others need it.
    if (file === undefined) return this.#writer.abandon();
    this.#came.add(index);
    await this.#writer.begin(file, from);
  }

  /** All of a batch is written. */
  async #settle(): Promise<void> {
    await this.#writer.settle();
    for (const [index, file] of this.#files.entries()) {
      if (file === undefined || this.#came.has(index)) continue;
      this.#missed.add(`"${file.folder}/${file.name}" did not come`);
    }
    this.#came.clear();
    this.#folders.finish();
    this.#files = [];
    this.#parts = [];
    this.#asked = false;
    this.#batch++;
  }
}

/** Some disks keep whole seconds. */
function isSameTime(here: number, wanted: number): boolean {
  return here === wanted || here === Math.floor(wanted / 1_000) * 1_000;
}
