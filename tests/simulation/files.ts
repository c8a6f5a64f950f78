/** A simulated process's view of its machine's {@link Disk}; every operation takes virtual time. */
import { fileError } from "../../core/environment/real_errors.ts";
import type { FileFacts, Files } from "../../core/environment/environment.ts";
import type { Disk } from "./disk.ts";
import type { SimulatedProcess } from "./machine.ts";

const READ_MS = 0.05;
/** Two syncs of a good disk. */
const WRITE_MS = 0.5;
/** How often a process that waits for a lock looks whether it is free. */
const LOCK_LOOK_MS = 1;

export class SimulatedFiles implements Files {
  readonly #process: SimulatedProcess;
  readonly #disk: Disk;
  readonly #now: () => number;

  constructor(process: SimulatedProcess, now: () => number) {
    this.#process = process;
    this.#disk = process.machine.disk;
    this.#now = now;
  }

  read(path: string): Promise<Uint8Array<ArrayBuffer>> {
    return this.#do(`read "${path}"`, READ_MS, () => this.#disk.readFile(path));
  }

  readText(path: string): Promise<string> {
    return this.#do(
      `read "${path}"`,
      READ_MS,
      () => new TextDecoder().decode(this.#disk.readFile(path)),
    );
  }

  write(path: string, data: Uint8Array | string, options: { mode?: number } = {}): Promise<void> {
    const bytes = bytesOf(data);
    return this.#do(
      `write "${path}"`,
      WRITE_MS,
      () => this.#disk.writeFile(path, bytes, options.mode ?? 0o600, this.#now()),
    );
  }

  append(path: string, data: Uint8Array | string, options: { mode?: number } = {}): Promise<void> {
    const bytes = bytesOf(data);
    return this.#do(
      `append to "${path}"`,
      WRITE_MS,
      () => this.#disk.appendFile(path, bytes, options.mode ?? 0o600, this.#now()),
    );
  }

  makeFolder(path: string, options: { mode?: number } = {}): Promise<void> {
    return this.#do(
      `make the folder "${path}"`,
      READ_MS,
      () => this.#disk.makeFolder(path, options.mode ?? 0o700, this.#now()),
    );
  }

  remove(path: string, options: { alone?: boolean } = {}): Promise<void> {
    return this.#do(`remove "${path}"`, READ_MS, () => this.#disk.remove(path, options));
  }

  list(path: string, { max }: { max?: number } = {}): Promise<string[]> {
    return this.#do(`list "${path}"`, READ_MS, () => this.#disk.list(path).slice(0, max));
  }

  facts(path: string): Promise<FileFacts | undefined> {
    return this.#do(`look at "${path}"`, READ_MS, () => this.#disk.facts(path));
  }

  /** There are no symbolic links here. */
  async realPath(path: string): Promise<string | undefined> {
    return await this.facts(path) === undefined ? undefined : path;
  }

  setMode(path: string, mode: number): Promise<void> {
    return this.#do(`change the mode of "${path}"`, READ_MS, () => {
      this.#disk.get(path).mode = mode;
    });
  }

  async lock(path: string, { signal }: { signal: AbortSignal }): Promise<Disposable> {
    signal.throwIfAborted();
    await this.append(path, "");
    const { locks } = this.#disk;
    while (locks.get(path)?.process.dead === false) {
      await this.#process.later(LOCK_LOOK_MS, () => {});
      signal.throwIfAborted();
    }
    const held = { process: this.#process };
    locks.set(path, held);
    return {
      [Symbol.dispose]: () => {
        if (locks.get(path) === held) locks.delete(path);
      },
    };
  }

  #do<T>(action: string, ms: number, run: () => T): Promise<T> {
    return this.#process.later(ms, () => {
      try {
        return run();
      } catch (error) {
        throw fileError(action, error);
      }
    });
  }
}

/** A copy: what is written is what it was when it was handed over. */
function bytesOf(data: Uint8Array | string): Uint8Array {
  return typeof data === "string" ? new TextEncoder().encode(data) : data.slice();
}
