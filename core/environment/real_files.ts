/**
 * Files on the host's disk. Modes are exact whatever the umask is: they are set after creation,
 * before the file gets its name. Failures are NotFoundError or FileError.
 */
import type { FileFacts, Files } from "./environment.ts";
import { fileError, marksOf } from "./real_errors.ts";

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

export class RealFiles implements Files {
  /** Makes the names of temporary files unique in this process; the pid does so among processes. */
  #temporaries = 0;

  async read(path: string): Promise<Uint8Array<ArrayBuffer>> {
    return await guarded(`read "${path}"`, () => Deno.readFile(path));
  }

  async readText(path: string): Promise<string> {
    return await guarded(`read "${path}"`, () => Deno.readTextFile(path));
  }

  async write(
    path: string,
    data: Uint8Array | string,
    options: { mode?: number } = {},
  ): Promise<void> {
    const temporary = `${path}.${Deno.pid}-${++this.#temporaries}.new`;
    const mode = options.mode ?? FILE_MODE;
    await guarded(`write "${path}"`, async () => {
      try {
        await writeNew(temporary, data, mode);
        await Deno.rename(temporary, path);
      } catch (error) {
        await removeIfThere(temporary);
        throw error;
      }
      await syncFolder(folderOf(path));
    });
  }

  async append(
    path: string,
    data: Uint8Array | string,
    options: { mode?: number } = {},
  ): Promise<void> {
    await guarded(`append to "${path}"`, async () => {
      const bytes = bytesOf(data);
      // One job for a thread of the runtime, instead of two and a descriptor.
      if (await appendIfThere(path, bytes)) return;
      using file = await openForAppend(path, options.mode ?? FILE_MODE);
      await writeAll(file, bytes);
    });
  }

  async makeFolder(path: string, options: { mode?: number } = {}): Promise<void> {
    const mode = options.mode ?? FOLDER_MODE;
    await guarded(`make the folder "${path}"`, () => Deno.mkdir(path, { recursive: true, mode }));
  }

  async remove(path: string, { alone = false }: { alone?: boolean } = {}): Promise<void> {
    await guarded(`remove "${path}"`, () => removeIfThere(path, { recursive: !alone }));
  }

  async list(path: string, { max = Infinity }: { max?: number } = {}): Promise<string[]> {
    return await guarded(`list "${path}"`, async () => {
      const names: string[] = [];
      try {
        for await (const entry of Deno.readDir(path)) {
          if (names.push(entry.name) >= max) break;
        }
      } catch (error) {
        if (!marksOf(error).includes("NotFound")) throw error;
      }
      return names.sort();
    });
  }

  async facts(path: string): Promise<FileFacts | undefined> {
    return await guarded(`look at "${path}"`, async () => {
      try {
        return factsOf(await Deno.lstat(path));
      } catch (error) {
        if (marksOf(error).includes("NotFound")) return undefined;
        throw error;
      }
    });
  }

  async realPath(path: string): Promise<string | undefined> {
    return await guarded(`find "${path}"`, async () => {
      try {
        return await Deno.realPath(path);
      } catch (error) {
        if (marksOf(error).includes("NotFound")) return undefined;
        throw error;
      }
    });
  }

  async setMode(path: string, mode: number): Promise<void> {
    await guarded(`change the mode of "${path}"`, () => Deno.chmod(path, mode));
  }

  async lock(path: string, { signal }: { signal: AbortSignal }): Promise<Disposable> {
    signal.throwIfAborted();
    const file = await guarded(`open "${path}"`, () => openForAppend(path, FILE_MODE));
    const locking = guarded(`lock "${path}"`, () => file.lock(true));
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    try {
      await Promise.race([locking, aborted]);
    } catch (error) {
      // The kernel goes on waiting for the lock, and nobody wants it any more.
      locking.then(() => file.close(), () => file.close());
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
    return {
      [Symbol.dispose]: () => {
        // Closing is not enough: the runtime may still hold a second descriptor of the same lock.
        file.unlockSync();
        file.close();
      },
    };
  }
}

async function guarded<T>(action: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw fileError(action, error);
  }
}

async function writeNew(path: string, data: Uint8Array | string, mode: number): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode });
  await Deno.chmod(path, mode);
  await writeAll(file, bytesOf(data));
  await file.sync();
}

/** False when there is no such file. */
async function appendIfThere(path: string, bytes: Uint8Array): Promise<boolean> {
  try {
    await Deno.writeFile(path, bytes, { append: true, create: false });
    return true;
  } catch (error) {
    if (marksOf(error).includes("NotFound")) return false;
    throw error;
  }
}

async function openForAppend(path: string, mode: number): Promise<Deno.FsFile> {
  for (;;) {
    try {
      return await Deno.open(path, { append: true });
    } catch (error) {
      if (!marksOf(error).includes("NotFound")) throw error;
    }
    try {
      const file = await Deno.open(path, { append: true, createNew: true, mode });
      await Deno.chmod(path, mode);
      return file;
    } catch (error) {
      // Somebody else made it since: open theirs.
      if (!marksOf(error).includes("AlreadyExists")) throw error;
    }
  }
}

function bytesOf(data: Uint8Array | string): Uint8Array {
  return typeof data === "string" ? new TextEncoder().encode(data) : data;
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

/** Makes a rename survive a crash of the machine. */
async function syncFolder(path: string): Promise<void> {
  using folder = await Deno.open(path);
  await folder.sync();
}

async function removeIfThere(path: string, options = { recursive: true }): Promise<void> {
  try {
    await Deno.remove(path, options);
  } catch (error) {
    if (!marksOf(error).includes("NotFound")) throw error;
  }
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash > 0 ? path.slice(0, slash) : slash === 0 ? "/" : ".";
}

function factsOf(info: Deno.FileInfo): FileFacts {
  const kind = info.isFile
    ? "file"
    : info.isDirectory
    ? "folder"
    : info.isSocket
    ? "socket"
    : "other";
  return {
    kind,
    size: info.size,
    mode: (info.mode ?? 0) & 0o7777,
    uid: info.uid ?? 0,
    modified: info.mtime?.getTime() ?? 0,
    device: info.dev,
  };
}
