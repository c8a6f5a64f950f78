/**
 * Files as somebody copies them: with links, times and modes, piece by piece. Every call but `sync`
 * waits for the disk and holds up the whole process: for programs that do nothing else meanwhile, not
 * for the daemon. Failures are NotFoundError or FileError.
 *
 * Paths may be names in the folder that was entered: whoever stands in a folder cannot be led
 * elsewhere by somebody who replaces a part of its path with a link.
 */

export interface DiskFacts {
  readonly kind: "file" | "folder" | "link" | "other";
  readonly size: number;
  /** Permission bits, for example 0o644. */
  readonly mode: number;
  readonly uid: number;
  /** Unix ms; what a disk keeps besides is lost. */
  readonly modified: number;
  /** Unix ms of the last change of anything about it; nobody can set it. */
  readonly changed: number;
  /** Names that it has. */
  readonly names: number;
  /** The same for two that are one file. */
  readonly id: string;
}

/** An open file. */
export interface DiskFile extends Disposable {
  facts(): DiskFacts;
  /** How many bytes came; null at the end. */
  read(into: Uint8Array): number | null;
  /** All of it. */
  write(bytes: Uint8Array): void;
  /** From here on it is read or written; what lies behind it is cut off by `cut`. */
  seek(at: number): void;
  cut(bytes: number): void;
  setModified(unixMs: number): void;
  /**
   * False when it is locked already, by whom ever; otherwise it is ours until it is closed. Throws
   * FileError on a disk without locks.
   */
  tryLock(): boolean;
  /** Resolves when it would survive a loss of power. */
  sync(): Promise<void>;
  /** Idempotent. */
  close(): void;
}

/** Finds names that are not UTF-8: nothing else here can say them, or take them. */
export interface OddNames extends Disposable {
  /** As the kernel has them, in no order; none where it cannot be asked, or does not answer. */
  in(folder: string): Uint8Array[];
}

export interface Disk {
  /** Modes of what is made from now on are exact, whatever the process was started with. */
  exactModes(): void;
  /** From now on names that are no absolute paths are meant in it. */
  enter(folder: string): void;
  /** The folder that was entered, as the kernel knows it: without links. */
  here(): string;
  /** Without links. */
  realPath(path: string): string;
  /** Of the thing itself, also of a link; undefined when there is nothing. */
  facts(path: string): DiskFacts | undefined;
  /** Of what it leads to; undefined when there is nothing. */
  followed(path: string): DiskFacts | undefined;
  /** Names in it, sorted. Those that are not UTF-8 are missing, or distorted. */
  list(folder: string): string[];
  oddNames(): OddNames;
  makeFolder(path: string, mode: number): void;
  setMode(path: string, mode: number): void;
  setModified(path: string, unixMs: number): void;
  readLink(path: string): string;
  makeLink(path: string, target: string): void;
  /** Replaces what is there, at once. */
  rename(from: string, to: string): void;
  /** A file, a link, or an empty folder. */
  remove(path: string): void;
  /** A file that is there. Never makes or empties one. */
  open(path: string, how: "read" | "write"): DiskFile;
  /** A file that nobody has made before; fails when there is anything, a link too. */
  create(path: string, mode: number): DiskFile;
  /** Resolves when the names in that folder would survive a loss of power. */
  syncFolder(path: string): Promise<void>;
}
