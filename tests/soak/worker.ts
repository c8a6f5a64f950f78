/**
 * A client of the soak: runs command lines of `minime` that come on stdin, one JSON object a line, each
 * as a program of its own would, but without the price of starting one. Answers line by line. It is
 * killed at any moment.
 */

import { createRealEnvironment } from "../../core/environment/real.ts";
import { connect } from "../../modules/cli/connect.ts";
import { runCli } from "../../modules/cli/run_cli.ts";
import { commands } from "../../modules/commands.ts";
import { MemoryTerminal } from "../modules/cli/memory_terminal.ts";

/** One command line. */
export interface Line {
  readonly words: readonly string[];
  /** Instead of those of the process. */
  readonly variables: Readonly<Record<string, string>>;
}

/** What it came to. */
export interface LineResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

if (import.meta.main) await main();

async function main(): Promise<void> {
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    rest += text;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      const line = JSON.parse(rest.slice(0, end)) as Line;
      rest = rest.slice(end + 1);
      const answer = `${JSON.stringify(await run(line))}\n`;
      await Deno.stdout.write(new TextEncoder().encode(answer));
    }
  }
}

async function run({ words, variables }: Line): Promise<LineResult> {
  const terminal = new MemoryTerminal();
  const real = createRealEnvironment();
  const processes = Object.create(real.processes, {
    variable: { value: (name: string) => variables[name] ?? real.processes.variable(name) },
  });
  const code = await runCli(words, {
    env: { ...real, processes },
    terminal,
    runtime: { ...Deno.version, target: Deno.build.target, compiled: false },
    commands,
    connect,
    exit: Deno.exit,
  });
  return { code, stdout: terminal.stdout, stderr: terminal.stderr };
}
