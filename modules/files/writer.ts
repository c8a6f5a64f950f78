/**
 * Writes content into files on their way, one after the other, and puts those that are complete in
 * place: some together, because a disk syncs many as fast as one.
 */

import {
  CallError,
  type DiskFile,
  equalBytes,
  errorText,
  FileError,
  MinimeError,
  ProtocolError,
  type Sha256,
} from "../../core/mod.ts";
import type { Ground } from "./ground.ts";
import { CLOSING_FILES_MAX, PART_BYTES_MIN } from "./limits.ts";
import { isPartOf, openPart, removeOldParts, removePart } from "./part_file.ts";
import type { Problems } from "./problems.ts";
import type { WantedFile } from "./receiver.ts";

export interface WriterOptions {
  readonly ground: Ground;
  readonly uid: number;
  readonly now: () => number;
  readonly startSha256: () => Sha256;
  readonly problems: Problems;
  /** Gets what did not come to its end. */
  readonly missed: Problems;
  readonly onBytes?: (bytes: number) => void;
}

interface Writing {
  readonly wanted: WantedFile;
  readonly file: DiskFile;
  readonly sum: Sha256;
  at: number;
}

export class Writer {
  files = 0;
  bytes = 0;
  readonly #options: WriterOptions;
  #writing: Writing | undefined;
  /** Complete, but not in place yet. */
  #closing: Writing[] = [];
  /** Folder that was looked through for what is left from long ago. */
  #cleaned: string | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  async begin(wanted: WantedFile, from: number): Promise<void> {
    const { ground, uid, now, onBytes } = this.#options;
    this.abandon();
    const isTwice = this.#closing.some((each) =>
      each.wanted.part === wanted.part && each.wanted.folder === wanted.folder
    );
    if (isTwice) await this.settle();
    try {
      if (from > wanted.size) throw new ProtocolError("Content begins behind its file");
      ground.enter(wanted.folder);
      if (this.#cleaned !== wanted.folder) removeOldParts(ground, { uid, now: now() });
      this.#cleaned = wanted.folder;
      const { part: name, mode } = wanted;
      const { file, sum } = openPart(this.#options, { name, mode, from });
      this.#writing = { wanted, file, sum, at: from };
      onBytes?.(from);
    } catch (error) {
      await this.#fail(wanted, error);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    const writing = this.#writing;
    // Of a file that is not needed, or could not be written.
    if (writing === undefined) return;
    if (writing.at + bytes.length > writing.wanted.size) {
      throw new ProtocolError("Content is longer than its file");
    }
    try {
      writing.file.write(bytes);
    } catch (error) {
      this.#drop(writing);
      return await this.#fail(writing.wanted, error);
    }
    writing.sum.update(bytes);
    writing.at += bytes.length;
    this.bytes += bytes.length;
    this.#options.onBytes?.(bytes.length);
  }

  /** All of its content has come. */
  async finish(sum: Uint8Array): Promise<void> {
    const writing = this.#writing;
    if (writing === undefined) return;
    this.#writing = undefined;
    const { wanted, at } = writing;
    if (at !== wanted.size || !equalBytes(writing.sum.digest(), sum)) {
      this.#drop(writing);
      const path = `${wanted.folder}/${wanted.name}`;
      this.#options.problems.add(`"${path}" came damaged: its hash is not the sender's`);
      return;
    }
    try {
      writing.file.setModified(wanted.modified);
    } catch (error) {
      this.#drop(writing);
      return await this.#fail(wanted, error);
    }
    this.#closing.push(writing);
    if (this.#closing.length >= CLOSING_FILES_MAX) await this.settle();
  }

  /** No more comes of the one at hand. */
  abandon(): void {
    const writing = this.#writing;
    if (writing === undefined) return;
    this.#writing = undefined;
    const { folder, name } = writing.wanted;
    this.#options.missed.add(`"${folder}/${name}" did not come to its end`);
    if (writing.at < PART_BYTES_MIN) this.#drop(writing);
    else writing.file.close();
  }

  /** Puts in place what is complete. */
  async settle(): Promise<void> {
    const full = await this.#place();
    if (full !== undefined) throw full;
  }

  /** Resolves when each has got its place, or is gone, with what ends it all. */
  async #place(): Promise<CallError | undefined> {
    const { ground } = this.#options;
    let full: CallError | undefined;
    const closing = this.#closing.splice(0);
    const synced = await Promise.allSettled(closing.map(({ file }) => file.sync()));
    let folder: string | undefined;
    for (const [index, writing] of closing.entries()) {
      const { wanted } = writing;
      const result = synced[index];
      try {
        if (result?.status === "rejected") throw result.reason;
        if (folder !== undefined && folder !== wanted.folder) await this.#syncFolder(folder);
        ground.enter(wanted.folder);
        folder = wanted.folder;
        this.#checkOwn(writing);
        ground.disk.rename(ground.at(wanted.part), ground.at(wanted.name));
        writing.file.close();
        this.files++;
      } catch (error) {
        this.#drop(writing);
        full = this.#endOf(wanted, error) ?? full;
      }
    }
    if (folder !== undefined) await this.#syncFolder(folder);
    return full;
  }

  /** The end, whether all went well or not. Idempotent. */
  leave(): void {
    this.abandon();
    for (const writing of this.#closing.splice(0)) this.#drop(writing);
  }

  async #syncFolder(folder: string): Promise<void> {
    const { ground, problems } = this.#options;
    try {
      ground.enter(folder);
      await ground.disk.syncFolder(ground.here);
    } catch (error) {
      // Who may only put things into a folder cannot open it; the files themselves are safe.
      if (!(error instanceof FileError) || error.reason !== "denied") problems.addError(error);
    }
  }

  /** What was hashed is what gets the name. */
  #checkOwn({ wanted: { part: name }, file }: Writing): void {
    const { ground } = this.#options;
    if (isPartOf(ground, { name, file })) return;
    throw new FileError("other", `Could not write "${ground.at(name)}": it was replaced meanwhile`);
  }

  #drop(writing: Writing): void {
    if (this.#writing === writing) this.#writing = undefined;
    // Its lock ends when nobody can take it for something to go on with.
    using file = writing.file;
    const { ground, problems } = this.#options;
    const { folder, part: name } = writing.wanted;
    try {
      ground.enter(folder);
      if (isPartOf(ground, { name, file })) removePart(ground, name);
    } catch (error) {
      if (!(error instanceof MinimeError)) throw error;
      problems.add(`Something is left of a copy: ${errorText(error)}`);
    }
  }

  /** What is complete stays, also when that ends it all. */
  async #fail(wanted: WantedFile, error: unknown): Promise<void> {
    const full = this.#endOf(wanted, error);
    if (full === undefined) return;
    await this.#place();
    throw full;
  }

  /** A disk that is full takes nothing more: that ends it all. Any other trouble is that file's alone. */
  #endOf({ part, name }: WantedFile, error: unknown): CallError | undefined {
    const { ground, problems } = this.#options;
    const explained = ground.explain(error, part, name);
    if (!(explained instanceof FileError) || explained.reason !== "no-space") {
      problems.addError(explained);
      return undefined;
    }
    return new CallError("failed", errorText(explained), { cause: error });
  }
}
