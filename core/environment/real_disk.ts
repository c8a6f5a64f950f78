/** The host's disk, call by call: see disk.ts. */
import type { Disk, DiskFacts, DiskFile, OddNames } from "./disk.ts";
import { fileError, marksOf } from "./real_errors.ts";
import { RealOddNames } from "./real_odd_names.ts";

export class RealDisk implements Disk {
  exactModes(): void {
    Deno.umask(0);
  }

  enter(folder: string): void {
    guarded(`enter "${folder}"`, () => Deno.chdir(folder));
  }

  here(): string {
    return guarded("find out in which folder we are", () => Deno.cwd());
  }

  realPath(path: string): string {
    return guarded(`look at "${path}"`, () => Deno.realPathSync(path));
  }

  facts(path: string): DiskFacts | undefined {
    return guarded(`look at "${path}"`, () => ifThere(() => factsOf(Deno.lstatSync(path))));
  }

  followed(path: string): DiskFacts | undefined {
    return guarded(`look at "${path}"`, () => ifThere(() => factsOf(Deno.statSync(path))));
  }

  list(folder: string): string[] {
    return guarded(
      `list "${folder}"`,
      () => [...Deno.readDirSync(folder)].map(({ name }) => name).sort(),
    );
  }

  oddNames(): OddNames {
    return new RealOddNames();
  }

  makeFolder(path: string, mode: number): void {
    guarded(`make the folder "${path}"`, () => Deno.mkdirSync(path, { mode }));
  }

  setMode(path: string, mode: number): void {
    guarded(`change the mode of "${path}"`, () => Deno.chmodSync(path, mode));
  }

  setModified(path: string, unixMs: number): void {
    guarded(`set the time of "${path}"`, () => Deno.utimeSync(path, dated(unixMs), dated(unixMs)));
  }

  readLink(path: string): string {
    return guarded(`read the link "${path}"`, () => Deno.readLinkSync(path));
  }

  makeLink(path: string, target: string): void {
    guarded(`make the link "${path}"`, () => Deno.symlinkSync(target, path));
  }

  rename(from: string, to: string): void {
    guarded(`put "${to}" in place`, () => Deno.renameSync(from, to));
  }

  remove(path: string): void {
    guarded(`remove "${path}"`, () => Deno.removeSync(path));
  }

  open(path: string, how: "read" | "write"): DiskFile {
    const action = `${how === "read" ? "read" : "write"} "${path}"`;
    const options = { read: true, write: how === "write" };
    return new RealDiskFile(path, guarded(action, () => Deno.openSync(path, options)));
  }

  create(path: string, mode: number): DiskFile {
    const options = { read: true, write: true, createNew: true, mode };
    return new RealDiskFile(path, guarded(`write "${path}"`, () => Deno.openSync(path, options)));
  }

  async syncFolder(path: string): Promise<void> {
    try {
      using folder = await Deno.open(path);
      await folder.sync();
    } catch (error) {
      throw fileError(`write "${path}"`, error);
    }
  }
}

class RealDiskFile implements DiskFile {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  #isLocked = false;
  #closed = false;

  constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  facts(): DiskFacts {
    return guarded(`look at "${this.#path}"`, () => factsOf(this.#file.statSync()));
  }

  read(into: Uint8Array): number | null {
    return guarded(`read "${this.#path}"`, () => this.#file.readSync(into));
  }

  write(bytes: Uint8Array): void {
    guarded(`write "${this.#path}"`, () => {
      for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    });
  }

  seek(at: number): void {
    guarded(`read "${this.#path}"`, () => this.#file.seekSync(at, Deno.SeekMode.Start));
  }

  cut(bytes: number): void {
    guarded(`write "${this.#path}"`, () => this.#file.truncateSync(bytes));
  }

  setModified(unixMs: number): void {
    guarded(
      `set the time of "${this.#path}"`,
      () => this.#file.utimeSync(dated(unixMs), dated(unixMs)),
    );
  }

  tryLock(): boolean {
    return guarded(`lock "${this.#path}"`, () => this.#isLocked ||= this.#file.tryLockSync(true));
  }

  async sync(): Promise<void> {
    try {
      await this.#file.sync();
    } catch (error) {
      throw fileError(`write "${this.#path}"`, error);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // Closing is not enough: the runtime may still hold a second descriptor of the same lock.
    if (this.#isLocked) this.#file.unlockSync();
    this.#file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function guarded<T>(action: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw fileError(action, error);
  }
}

function ifThere<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (marksOf(error).includes("NotFound")) return undefined;
    throw error;
  }
}

function factsOf(info: Deno.FileInfo): DiskFacts {
  const kind = info.isSymlink
    ? "link"
    : info.isDirectory
    ? "folder"
    : info.isFile
    ? "file"
    : "other";
  return {
    kind,
    size: info.size,
    mode: (info.mode ?? 0) & 0o7777,
    uid: info.uid ?? 0,
    modified: info.mtime?.getTime() ?? 0,
    changed: info.ctime?.getTime() ?? 0,
    names: info.nlink ?? 1,
    id: `${info.dev}:${info.ino}`,
  };
}

/** A number would be taken for seconds. */
function dated(unixMs: number): Date {
  return new Date(unixMs);
}
