/** Starting programs and looking at them from outside, as a user would time them. */

const TICKS_PER_SECOND = 100;

export interface ProcessOptions {
  /** Added to our own environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Milliseconds from start to exit. Throws when it fails, with what it said. */
export async function timeProcess(
  argv: readonly string[],
  options: ProcessOptions = {},
): Promise<number> {
  const start = performance.now();
  const { code, stderr } = await command(argv, options, "null").output();
  const ms = performance.now() - start;
  if (code !== 0) throw failure(argv, code, stderr);
  return ms;
}

/** Its standard output. Throws when it fails, with what it said. */
export async function outputOf(
  argv: readonly string[],
  options: ProcessOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await command(argv, options, "piped").output();
  // What reports on many hosts says on its output which of them failed.
  if (code !== 0) throw failure(argv, code, stderr.length > 0 ? stderr : stdout);
  return new TextDecoder().decode(stdout);
}

/**
 * Resident memory in bytes, and the part of it that lies in no file: the rest is mostly the runtime's
 * executable, which all daemons of one machine share.
 */
export async function memoryOf(pid: number): Promise<{ resident: number; anonymous: number }> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const kib = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]);
  return { resident: kib("VmRSS") * 1024, anonymous: kib("RssAnon") * 1024 };
}

/** Largest resident memory in bytes since it started, or since that was reset; 0 once it has ended. */
export async function peakMemoryOf(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

/** From now on its peak is counted anew. */
export async function resetPeakMemory(pid: number): Promise<void> {
  await Deno.writeTextFile(`/proc/${pid}/clear_refs`, "5");
}

/** Told of each piece of a program's output; the next one is read when it has resolved. */
export type OnOutput = (bytes: number, pid: number) => Promise<void> | void;

/** Reads what it writes, piece by piece. Throws when it fails, with what it said. */
export async function readOutput(
  argv: readonly string[],
  options: ProcessOptions & { readonly onOutput: OnOutput },
): Promise<void> {
  const child = command(argv, options, "piped").spawn();
  const said = new Response(child.stderr).bytes();
  for await (const piece of child.stdout) await options.onOutput(piece.length, child.pid);
  const { code } = await child.status;
  if (code !== 0) throw failure(argv, code, await said);
  await said;
}

/** Seconds of CPU that it has used since it started. */
export async function cpuOf(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  // Behind the name, which may hold anything: utime and stime are fields 14 and 15 of proc(5).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Runs until it is disposed. */
export class Background implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  constructor(argv: readonly string[]) {
    this.#child = command(argv, {}, "null").spawn();
  }

  get pid(): number {
    return this.#child.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.stderr.cancel();
    await this.#child.status;
  }
}

function command(
  argv: readonly string[],
  options: ProcessOptions,
  stdout: "null" | "piped",
): Deno.Command {
  const [program = "", ...args] = argv;
  return new Deno.Command(program, {
    args,
    env: { ...options.env },
    stdin: "null",
    stdout,
    stderr: "piped",
  });
}

function failure(argv: readonly string[], code: number, stderr: Uint8Array): Error {
  const said = new TextDecoder().decode(stderr).trim();
  return new Error(`"${argv.join(" ")}" ended with exit code ${code}: ${said}`);
}
