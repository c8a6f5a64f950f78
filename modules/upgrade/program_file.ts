/**
 * The program file of this node, and the next one. Where boot has copied it, each program has a name
 * of its own, minime-HASH, and the next one lies beside it. Where it was installed, a service names
 * the file: the next one takes its place and the old one is kept as FILE.old.
 */

import * as v from "valibot";
import {
  CallError,
  type Environment,
  PROTOCOL_NEWEST,
  PROTOCOL_OLDEST,
  withTimeLimit,
} from "../../core/mod.ts";
import { printable } from "../shared/text.ts";
import {
  COMPLAINT_CHARACTERS_MAX,
  PUT_MS_MAX,
  VERSION_CHARACTERS_MAX,
  VERSION_MS_MAX,
} from "./limits.ts";
import { NAME_SCRIPT, SWITCH_SCRIPT, TAKE_SCRIPT } from "./scripts.ts";
import { ProgramVersionSchema, type PutSchema } from "./verbs.ts";

type Needs = Pick<Environment, "clock" | "files" | "processes">;
export type ProgramVersion = v.InferOutput<typeof ProgramVersionSchema>;

/** Paths. */
export interface SwitchedProgram {
  /** The new one. */
  readonly program: string;
  /** Where the old one lies now. */
  readonly kept: string;
  /** Where it lay, and is started from. */
  readonly original: string;
}

const BOOTED = /\/minime-([0-9a-f]{64})$/;
/** What a process was taking when it died. */
const PART = /^minime-[0-9a-f]{64}\.\d+$/;

export class ProgramFile {
  readonly path: string;
  readonly #env: Needs;
  #hash: Promise<string> | undefined;

  /** @throws CallError where it runs from source */
  constructor(env: Needs) {
    const { executable } = env.processes;
    if (executable === undefined) {
      throw new CallError("failed", "This node runs from source: there is no program to replace");
    }
    this.#env = env;
    this.path = executable;
  }

  /** Of what runs, as it was when it was first asked for. */
  hash(): Promise<string> {
    this.#hash ??= this.#sum().catch((error) => {
      this.#hash = undefined;
      throw error;
    });
    return this.#hash;
  }

  /** Where the program of that hash lies until it is started. */
  nextPath(hash: string): string {
    return `${this.#folder}/minime-${hash}`;
  }

  /** Keeps what comes if it runs here; returns what it says of itself. @throws CallError */
  async take(
    { hash, bytes }: v.InferOutput<typeof PutSchema>,
    pieces: AsyncIterable<unknown>,
    signal: AbortSignal,
  ): Promise<ProgramVersion> {
    const { files, processes } = this.#env;
    const path = this.nextPath(hash);
    if (await this.#holds(path, hash)) return await this.#version(path, signal);
    await files.remove(path);
    await this.#removeOldParts();
    const part = `${path}.${processes.pid}`;
    const taking = ["-c", TAKE_SCRIPT, "minime", part, hash, String(bytes)];
    try {
      await this.#run("sh", taking, { pieces, signal });
      const version = await this.#version(part, signal);
      await this.#run("sh", ["-c", NAME_SCRIPT, "minime", part, path]);
      return version;
    } finally {
      await files.remove(part);
    }
  }

  /** The program of that hash is the one that starts from now on: and the way back. */
  async switchTo(hash: string): Promise<SwitchedProgram> {
    const next = this.nextPath(hash);
    const isThere = await this.#holds(next, hash);
    if (isThere && BOOTED.test(this.path)) {
      return { program: next, kept: this.path, original: this.path };
    }
    if (isThere) await this.#run("sh", ["-c", SWITCH_SCRIPT, "minime", this.path, next]);
    // Another node of this machine may have put it there, from the same file.
    else if (await this.#sumOf(this.path) !== hash) {
      throw new CallError("failed", `Program ${hash.slice(0, 16)} is not here: it was not sent`);
    }
    return { program: this.path, kept: `${this.path}.old`, original: this.path };
  }

  get #folder(): string {
    return this.path.slice(0, this.path.lastIndexOf("/"));
  }

  /** Its name alone says nothing of a file that a machine wrote while it went down. */
  async #holds(path: string, hash: string): Promise<boolean> {
    return await this.#env.files.facts(path) !== undefined && await this.#sumOf(path) === hash;
  }

  /** Those that nobody can be writing any more, on any machine that shares the folder. */
  async #removeOldParts(): Promise<void> {
    const { clock, files } = this.#env;
    for (const name of await files.list(this.#folder)) {
      if (!PART.test(name)) continue;
      const path = `${this.#folder}/${name}`;
      const facts = await files.facts(path);
      if (facts !== undefined && facts.modified < clock.now() - PUT_MS_MAX) {
        await files.remove(path);
      }
    }
  }

  async #sum(): Promise<string> {
    const booted = BOOTED.exec(this.path)?.[1];
    if (booted !== undefined) return booted;
    return await this.#sumOf(`/proc/${this.#env.processes.pid}/exe`);
  }

  async #sumOf(path: string): Promise<string> {
    return (await this.#run("sha256sum", ["-b", "--", path])).slice(0, 64);
  }

  async #version(path: string, signal: AbortSignal): Promise<ProgramVersion> {
    const late = () =>
      new CallError("failed", `It did not say its version in ${VERSION_MS_MAX / 1_000} s`);
    const text = await withTimeLimit(
      (over) => this.#run(path, ["version", "--json"], { signal: over }),
      { clock: this.#env.clock, ms: VERSION_MS_MAX, late, signal },
    );
    let version: ProgramVersion;
    try {
      version = v.parse(ProgramVersionSchema, JSON.parse(text));
    } catch (cause) {
      if (!(cause instanceof SyntaxError || cause instanceof v.ValiError)) throw cause;
      throw new CallError("failed", "The file is no minime that can be upgraded to", { cause });
    }
    const [oldest, newest] = version.speaks;
    if (newest < PROTOCOL_OLDEST || oldest > PROTOCOL_NEWEST) {
      throw new CallError(
        "failed",
        `Version ${version.version} speaks protocol ${oldest} to ${newest}, this mesh ` +
          `${PROTOCOL_OLDEST} to ${PROTOCOL_NEWEST}: they could not talk`,
      );
    }
    return version;
  }

  /** Returns stdout. @throws CallError with what it complained of */
  async #run(
    program: string,
    args: readonly string[],
    options: { readonly pieces?: AsyncIterable<unknown>; readonly signal?: AbortSignal } = {},
  ): Promise<string> {
    const { pieces, signal } = options;
    const child = await this.#env.processes.spawn(program, {
      args,
      stdin: pieces === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
      environment: { NO_COLOR: "1" },
    });
    const end = () => child.kill("SIGKILL");
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
    const feeding = pieces && feed(child.stdin, pieces);
    feeding?.catch(end);
    const [stdout, stderr, { code }] = await Promise.all([
      textOf(child.stdout, VERSION_CHARACTERS_MAX),
      textOf(child.stderr, COMPLAINT_CHARACTERS_MAX),
      child.status,
    ]);
    signal?.removeEventListener("abort", end);
    await feeding;
    signal?.throwIfAborted();
    if (code === 0) return stdout;
    // What follows is for those who know the program from within.
    const [first = ""] = stderr.trim().split("\n", 1);
    const said = printable(first) || `exit code ${code}`;
    throw new CallError("failed", `${nameOf(program)} failed: ${said.replaceAll(program, "it")}`);
  }
}

/** People know neither where a file that came with an upgrade lies, nor its long name. */
function nameOf(program: string): string {
  return program.includes("/") ? "The new program" : program;
}

/** Rejects when the pieces do. A program that takes no more says why when it ends. */
async function feed(
  stdin: WritableStream<Uint8Array> | undefined,
  pieces: AsyncIterable<unknown>,
): Promise<void> {
  const writer = (stdin as WritableStream<Uint8Array>).getWriter();
  const isOver = () => true;
  try {
    for await (const piece of pieces) {
      if (!(piece instanceof Uint8Array)) {
        throw new CallError("invalid", "A piece of a program is bytes");
      }
      if (await writer.write(piece).then(() => false, isOver)) return;
    }
    await writer.close().catch(isOver);
  } catch (error) {
    // Who reads from us would wait for more.
    await writer.abort(error).catch(isOver);
    throw error;
  }
}

async function textOf(
  stream: ReadableStream<Uint8Array> | undefined,
  charactersMax: number,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream as ReadableStream<Uint8Array>) {
    if (text.length < charactersMax) text += decoder.decode(chunk, { stream: true });
  }
  return text;
}
