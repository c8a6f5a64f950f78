/**
 * The executable file that boot copies to hosts: what it is, its hash, and its compressed form,
 * which is made when the first host needs it and kept in $XDG_CACHE_HOME/minime/minime-HASH.gz.
 * For hosts with another CPU the file `minime-ARCH` beside it is taken.
 */

import {
  type Environment,
  FileError,
  NotFoundError,
  type Primitives,
  toHex,
  UsageError,
} from "../../core/mod.ts";
import { baseFolder } from "../shared/private_folder.ts";
import { readIfThere } from "../shared/read_if_there.ts";
import type { BinaryFacts } from "./boot_script.ts";
import { COPY_CHUNK_BYTES } from "./limits.ts";

type Needs = Pick<Environment, "files" | "processes">;

/** ELF's e_machine (System V ABI), and what `uname -m` calls it. */
const MACHINES: ReadonlyMap<number, string> = new Map([[62, "x86_64"], [183, "aarch64"]]);
const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46];
const ELF_MACHINE_AT = 18;

/** The files for all kinds of hosts, read when first asked for. */
export class Binaries {
  readonly main: Binary;
  readonly #env: Needs;
  readonly #primitives: Primitives;
  readonly #others = new Map<string, Promise<Binary | undefined>>();

  private constructor(main: Binary, env: Needs, primitives: Primitives) {
    this.main = main;
    this.#env = env;
    this.#primitives = primitives;
  }

  /** @throws UsageError when there is no such file, or it is no program for Linux */
  static async open(env: Needs, primitives: Primitives, path: string): Promise<Binaries> {
    const main = await openBinary(env, primitives, path);
    if (main === undefined) throw new UsageError(`There is no file "${path}"`);
    return new Binaries(main, env, primitives);
  }

  /** The file for that CPU, or undefined when there is none. */
  async forArchitecture(architecture: string): Promise<Binary | undefined> {
    if (architecture === this.main.facts.architecture) return this.main;
    let found = this.#others.get(architecture);
    if (found === undefined) {
      found = this.#look(architecture);
      this.#others.set(architecture, found);
    }
    return await found;
  }

  async #look(architecture: string): Promise<Binary | undefined> {
    const { path } = this.main;
    // Names come from hosts: nothing but letters and digits may become part of a path.
    if (!/^[a-z0-9_]{1,20}$/.test(architecture)) return undefined;
    const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/") + 1) : "";
    for (const name of [`minime-${architecture}`, `minime-${architecture}-unknown-linux-gnu`]) {
      const binary = await openBinary(this.#env, this.#primitives, folder + name);
      if (binary?.facts.architecture === architecture) return binary;
    }
    return undefined;
  }
}

/** One executable file. */
export class Binary {
  readonly path: string;
  readonly facts: BinaryFacts;
  readonly #env: Needs;
  readonly #primitives: Primitives;
  #packed: Promise<Uint8Array> | undefined;

  constructor(env: Needs, primitives: Primitives, path: string, facts: BinaryFacts) {
    this.#env = env;
    this.#primitives = primitives;
    this.path = path;
    this.facts = facts;
  }

  /** All of it as gzip. */
  packed(): Promise<Uint8Array> {
    this.#packed ??= this.#pack();
    return this.#packed;
  }

  async #pack(): Promise<Uint8Array> {
    const cache = `${cacheFolder(this.#env)}/minime-${this.facts.hash}.gz`;
    const kept = await withoutFile(() => readIfThere(this.#env, cache));
    if (kept !== undefined && await this.#isRight(kept)) return kept;
    const bytes = await this.#env.files.read(this.path);
    if (toHex(this.#primitives.sha256(bytes)) !== this.facts.hash) {
      throw new UsageError(`"${this.path}" has changed while it was being copied: boot again`);
    }
    const packed = await collect(streamOf(bytes).pipeThrough(new CompressionStream("gzip")));
    await withoutFile(async () => {
      await this.#env.files.makeFolder(cacheFolder(this.#env));
      await this.#env.files.write(cache, packed);
    });
    return packed;
  }

  /** A cache may be cut short or damaged, and every host would have to find out. */
  async #isRight(packed: Uint8Array): Promise<boolean> {
    const hash = this.#primitives.startSha256();
    try {
      for await (
        const chunk of streamOf(packed).pipeThrough(new DecompressionStream("gzip"))
      ) hash.update(chunk);
    } catch (error) {
      if (error instanceof TypeError) return false; // What the runtime says of bad gzip.
      throw error;
    }
    return toHex(hash.digest()) === this.facts.hash;
  }
}

/** A cache that cannot be used makes boot some seconds longer, and no more. */
async function withoutFile<T>(run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof FileError || error instanceof NotFoundError) return undefined;
    throw error;
  }
}

/** Where this user's files lie that can be made again. */
function cacheFolder(env: Pick<Environment, "processes">): string {
  return `${baseFolder(env, "XDG_CACHE_HOME", ".cache")}/minime`;
}

async function openBinary(
  env: Needs,
  primitives: Primitives,
  path: string,
): Promise<Binary | undefined> {
  const bytes = await readIfThere(env, path);
  if (bytes === undefined) return undefined;
  const isElf = ELF_MAGIC.every((byte, i) => bytes[i] === byte);
  const machine = isElf && bytes.length > 64
    ? new DataView(bytes.buffer, bytes.byteOffset).getUint16(ELF_MACHINE_AT, true)
    : undefined;
  const architecture = machine === undefined ? undefined : MACHINES.get(machine);
  if (architecture === undefined) {
    throw new UsageError(`"${path}" is no executable file for Linux on x86-64 or aarch64`);
  }
  const hash = toHex(primitives.sha256(bytes));
  return new Binary(env, primitives, path, { hash, bytes: bytes.length, architecture });
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + COPY_CHUNK_BYTES));
      at += COPY_CHUNK_BYTES;
    },
  });
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(
    await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
  );
}
