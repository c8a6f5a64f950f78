/**
 * Input for programs that take turns: whoever comes later reads it from its beginning. It is read as
 * fast as the fastest of those that run now reads it, and kept: some of it here, more in a file without
 * a name, which is gone with this process.
 */

import {
  type Disk,
  type DiskFile,
  type Environment,
  errorText,
  FileError,
  toHex,
} from "../../core/mod.ts";
import { INPUT_HERE_BYTES_MAX, INPUT_PIECE_BYTES_MAX } from "./limits.ts";
import type { InputShare, InputSource } from "./shared_input.ts";

const NAME_BYTES = 8;
const FOLDER_DEFAULT = "/tmp";

type Needs = Pick<Environment, "disk" | "processes" | "random">;

export class KeptInput implements InputSource, Disposable {
  readonly repeats = true;
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #kept: Kept;
  /** One reads, and all that wait for more wait for it. */
  #reading: Promise<void> | undefined;
  #over: { readonly error?: unknown } | undefined;

  constructor(source: AsyncIterable<Uint8Array>, env: Needs) {
    this.#source = source[Symbol.asyncIterator]();
    this.#kept = new Kept(env);
  }

  /** Nothing is read before somebody asks for it. */
  open(): InputShare {
    const left = Promise.withResolvers<void>();
    let isOpen = true;
    const bytes = this.#read(() => isOpen, left.promise);
    return {
      bytes,
      [Symbol.dispose]() {
        isOpen = false;
        left.resolve();
      },
    };
  }

  [Symbol.dispose](): void {
    this.#kept[Symbol.dispose]();
  }

  async *#read(
    isOpen: () => boolean,
    left: Promise<void>,
  ): AsyncGenerator<Uint8Array, void, void> {
    let at = 0;
    while (isOpen()) {
      if (at < this.#kept.length) {
        const piece = this.#kept.read(at);
        at += piece.length;
        yield piece;
      } else if (this.#over === undefined) {
        this.#reading ??= this.#more().finally(() => this.#reading = undefined);
        await Promise.race([this.#reading, left]);
      } else if ("error" in this.#over) throw this.#over.error;
      else return;
    }
  }

  /** Never rejects: who reads gets to the error. */
  async #more(): Promise<void> {
    try {
      const { done, value } = await this.#source.next();
      if (done) this.#over = {};
      else this.#kept.append(value);
    } catch (error) {
      this.#over = { error };
    }
  }
}

/** Bytes that are appended and read again. */
class Kept implements Disposable {
  readonly #env: Needs;
  #here = new Uint8Array(0);
  #file: DiskFile | undefined;
  #length = 0;

  constructor(env: Needs) {
    this.#env = env;
  }

  get length(): number {
    return this.#length;
  }

  /** Throws FileError when there is no room. */
  append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    try {
      if (this.#file === undefined && length > INPUT_HERE_BYTES_MAX) this.#moveToFile();
      if (this.#file === undefined) {
        if (this.#here.length === 0) this.#here = new Uint8Array(INPUT_HERE_BYTES_MAX);
        this.#here.set(bytes, this.#length);
      } else {
        this.#file.seek(this.#length);
        this.#file.write(bytes);
      }
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      const text = `Stdin cannot be kept for the nodes that come later: ${errorText(error)}`;
      throw new FileError(error.reason, text, { cause: error });
    }
    this.#length = length;
  }

  /** Some of what lies there; at least one byte. */
  read(at: number): Uint8Array {
    const end = Math.min(this.#length, at + INPUT_PIECE_BYTES_MAX);
    if (this.#file === undefined) return this.#here.slice(at, end);
    const piece = new Uint8Array(end - at);
    this.#file.seek(at);
    return piece.subarray(0, this.#file.read(piece) ?? 0);
  }

  [Symbol.dispose](): void {
    this.#file?.close();
  }

  #moveToFile(): void {
    const file = unnamed(this.#env.disk, this.#env);
    file.write(this.#here.subarray(0, this.#length));
    this.#file = file;
    this.#here = new Uint8Array(0);
  }
}

function unnamed(disk: Disk, { processes, random }: Omit<Needs, "disk">): DiskFile {
  const folder = processes.variable("TMPDIR") || FOLDER_DEFAULT;
  const path = `${folder}/minime-stdin-${toHex(random.bytes(NAME_BYTES))}`;
  const file = disk.create(path, 0o600);
  disk.remove(path);
  return file;
}
