/**
 * A program that the rig runs on this machine or inside a host. Its whole tree is ended when it is
 * disposed or overdue; whatever detached itself from the tree ends with the host's namespaces.
 */

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Bytes or text for the program's stdin. @default nothing: end of file at once */
  readonly stdin?: string | Uint8Array<ArrayBuffer>;
  /** After this many milliseconds the program is killed and the run rejects. @default 60000 */
  readonly timeoutMs?: number;
}

const RUN_MS_DEFAULT = 60_000;
/** `nsenter` forks the program within a few milliseconds; a loaded machine may take much longer. */
const FORK_MS_MAX = 30_000;
const POLL_MS = 5;

/** The environment of the tools that the rig itself uses. */
export const TOOLS_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

export class Process implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #command: string;
  readonly #forked: boolean;
  readonly stdin: WritableStream<Uint8Array<ArrayBufferLike>>;
  readonly stdout: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly stderr: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** A death by signal n has the code 128 + n. */
  readonly status: Promise<Deno.CommandStatus>;
  #ended = false;

  /**
   * Starts `argv` with nothing but the environment given.
   * `forked` says that the program is the only child of what `argv` names, as with `nsenter --pid`.
   */
  constructor(
    argv: readonly string[],
    options: { env?: Readonly<Record<string, string>>; forked?: boolean; label?: string } = {},
  ) {
    const [program, ...args] = argv;
    if (program === undefined) throw new TypeError("Argument 'argv' is empty");
    this.#command = options.label ?? argv.join(" ");
    this.#forked = options.forked ?? false;
    this.#child = new Deno.Command(program, {
      args,
      clearEnv: true,
      env: { PATH: TOOLS_PATH, ...options.env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.stdin = this.#child.stdin;
    this.stdout = this.#child.stdout;
    this.stderr = this.#child.stderr;
    this.status = this.#child.status.then((status) => {
      this.#ended = true;
      return status;
    });
  }

  /** The program's pid as the machine (not the host) sees it. Rejects when it has ended. */
  async pid(): Promise<number> {
    if (!this.#forked) return this.#child.pid;
    const end = performance.now() + FORK_MS_MAX;
    while (!this.#ended && performance.now() < end) {
      const [inner] = childrenOf(this.#child.pid);
      if (inner !== undefined) return inner;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new Error(`Cannot find the process of '${this.#command}': it has ended`);
  }

  /** Sends a signal to the program itself, not to its children. */
  async signal(signal: Deno.Signal): Promise<void> {
    Deno.kill(await this.pid(), signal);
  }

  /** Feeds stdin, collects all output and waits for the end of both the program and its output. */
  async finish(options: RunOptions = {}): Promise<RunResult> {
    const timeoutMs = options.timeoutMs ?? RUN_MS_DEFAULT;
    const stdout = new Collector(this.stdout);
    const stderr = new Collector(this.stderr);
    let overdue = false;
    const timer = setTimeout(() => {
      overdue = true;
      this.#killTree();
      stdout.cancel();
      stderr.cancel();
    }, timeoutMs);
    try {
      const [status] = await Promise.all([
        this.status,
        stdout.done,
        stderr.done,
        feed(this.stdin, options.stdin),
      ]);
      if (overdue) {
        throw new Error(
          `Command '${this.#command}' did not end within ${timeoutMs} ms\n` +
            `stdout: ${stdout.text()}\nstderr: ${stderr.text()}`,
        );
      }
      return { code: status.code, stdout: stdout.text(), stderr: stderr.text() };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Does nothing after the end: the pid may belong to somebody else by then. */
  #killTree(): void {
    if (this.#ended) return;
    for (const pid of treeOf(this.#child.pid)) killPid(pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (!this.#ended) {
      this.#killTree(); // Again and again: a child may have been forked while we looked.
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    for (const stream of [this.stdout, this.stderr]) {
      if (!stream.locked) await stream.cancel();
    }
    if (!this.stdin.locked) await this.stdin.abort().catch(ignoreClosedStream);
  }
}

/** Runs a tool on this machine; rejects unless it exits with 0. */
export async function runTool(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  await using process = new Process(argv);
  const result = await process.finish(options);
  if (result.code !== 0) {
    throw new Error(`Command '${argv.join(" ")}' failed with ${result.code}: ${result.stderr}`);
  }
  return result.stdout;
}

/** SIGKILL that does not mind a process which is gone. True if it was there. */
export function killPid(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGKILL");
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    if (error instanceof TypeError && error.message.includes("ESRCH")) return false;
    throw error;
  }
}

/** The pids of the children of all threads of a process; empty when it is gone. */
export function childrenOf(pid: number): number[] {
  const pids: number[] = [];
  try {
    for (const task of Deno.readDirSync(`/proc/${pid}/task`)) {
      const text = Deno.readTextFileSync(`/proc/${pid}/task/${task.name}/children`);
      pids.push(...text.split(" ").filter((word) => word.trim() !== "").map(Number));
    }
  } catch (error) {
    if (!isGone(error)) throw error;
  }
  return pids;
}

/** The state letter of /proc/PID/stat; "-" when the process is gone. */
export function stateOf(pid: number): string {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2)[0] ?? "-";
  } catch (error) {
    if (isGone(error)) return "-";
    throw error;
  }
}

function treeOf(pid: number): number[] {
  return [...childrenOf(pid).flatMap(treeOf), pid];
}

/** Whether reading below /proc failed because the process ended meanwhile. */
export function isGone(error: unknown): boolean {
  if (error instanceof Deno.errors.NotFound) return true;
  return error instanceof Error && /ESRCH|No such process/.test(error.message);
}

/** Gathers a stream's text and can give up on a pipe that somebody else still holds open. */
class Collector {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly #decoder = new TextDecoder();
  #text = "";
  readonly done: Promise<void>;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.getReader();
    this.done = this.#collect();
  }

  async #collect(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) break;
      this.#text += this.#decoder.decode(value, { stream: true });
    }
    this.#text += this.#decoder.decode();
  }

  cancel(): void {
    // The pending read ends with "done"; an error of the cancelling itself has nobody to tell.
    this.#reader.cancel().catch(ignoreClosedStream);
  }

  text(): string {
    return this.#text;
  }
}

async function feed(
  stream: WritableStream<Uint8Array<ArrayBufferLike>>,
  input: string | Uint8Array<ArrayBuffer> | undefined,
): Promise<void> {
  const writer = stream.getWriter();
  try {
    if (input !== undefined && input.length > 0) {
      await writer.write(typeof input === "string" ? new TextEncoder().encode(input) : input);
    }
    await writer.close();
  } catch (error) {
    // A program may end without reading its stdin; its exit code tells what it thinks of that.
    ignoreClosedStream(error);
  }
}

/** For closing streams whose other end has died: that is what the closing wanted. */
export function ignoreClosedStream(error: unknown): void {
  if (error instanceof Deno.errors.BrokenPipe || error instanceof TypeError) return;
  if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
  throw error;
}
