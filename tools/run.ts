/**
 * Runs a child process of the build to its end and keeps what it printed. A program that is not
 * installed is an ordinary outcome here (there is a next way to try), so it has its own code.
 */

/** What a shell says too when it finds no such program. */
export const NOT_INSTALLED_CODE = 127;

export interface RunOptions {
  cwd?: string;
  /** Added to the environment of this process. */
  env?: Record<string, string>;
  /** Start from an empty environment. @default false */
  clearEnv?: boolean;
  /** Kills the child. */
  signal?: AbortSignal;
  /** Called with stderr's lines while the child runs. */
  onLine?: (line: string) => void;
}

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `command` with `args`; resolves when the child has ended and both its outputs are read. */
export async function run(
  command: readonly [string, ...string[]],
  options: RunOptions = {},
): Promise<RunResult> {
  const [program, ...args] = command;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      clearEnv: options.clearEnv ?? false,
      env: { NO_COLOR: "1", ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return { code: NOT_INSTALLED_CODE, stdout: "", stderr: `"${program}" is not installed` };
    }
    throw error;
  }
  const [status, stdout, stderr] = await Promise.all([
    child.status,
    new Response(child.stdout).text(),
    readLines(child.stderr, options.onLine),
  ]);
  return { code: status.code, stdout, stderr };
}

async function readLines(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  onLine: ((line: string) => void) | undefined,
): Promise<string> {
  let all = "";
  let reported = 0;
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    all += text;
    for (;;) {
      const end = all.indexOf("\n", reported);
      if (end < 0) break;
      onLine?.(all.slice(reported, end));
      reported = end + 1;
    }
  }
  return all;
}

/** The one line of a failed program's output that a person wants: the error, and its last cause. */
export function reasonOf(result: RunResult): string {
  const lines = result.stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const end = lines.findIndex((line) => line.startsWith("Stack backtrace"));
  const shown = end < 0 ? lines : lines.slice(0, end);
  const error = shown.find((line) => /^error\b/i.test(line)) ?? shown.at(-1) ??
    `exit code ${result.code}`;
  const causes = shown.indexOf("Caused by:");
  const cause = causes < 0 ? undefined : shown.at(-1)?.replace(/^\d+: /, "");
  const text = error.replace(/^error:?\s*/i, "").replace(/[.:]$/, "");
  return cause === undefined ? text : `${text}: ${cause}`;
}
