/**
 * One run of the program: reads the command line, runs the command, says what went wrong, writes
 * everything out, and returns the exit code. main.ts gives it the real process.
 */

import type { Environment } from "../../core/mod.ts";
import { EXIT } from "../shared/exit_code.ts";
import type { ListedCommand } from "../shared/command.ts";
import type { Options, OptionsOf } from "../shared/option.ts";
import type { Terminal } from "../shared/terminal.ts";
import { runLine } from "./app.ts";
import { type Connect, createContext } from "./context.ts";
import type { GLOBAL_OPTIONS } from "./entries.ts";
import { exitCodeFor, failureText } from "./failure.ts";
import { StreamOutput } from "./output.ts";
import { Stop } from "./stop.ts";
import { typedCommands } from "./typed_commands.ts";
import type { Runtime } from "./version.ts";

export interface CliParts {
  readonly env: Environment;
  readonly terminal: Terminal;
  readonly runtime: Runtime;
  /** Of all modules, in the order in which help lists them. */
  readonly commands: readonly ListedCommand[];
  /** Brings in the client when a command first asks for it. */
  readonly connect: Connect;
  /** Ends the process at once: for the second ^C. */
  exit(code: number): void;
}

export async function runCli(words: readonly string[], parts: CliParts): Promise<number> {
  const { env, terminal } = parts;
  const out = new StreamOutput(terminal, {
    plain: (env.processes.variable("NO_COLOR") ?? "") !== "" ||
      env.processes.variable("TERM") === "dumb",
    onBroken: () => stop.ask(EXIT.brokenPipe, "Nobody reads the output any more"),
  });
  using stop = new Stop(env, { exit: parts.exit, announce: (text) => out.note(text) });
  const code = await runWords(words, parts, out, stop);
  const failed = await out.finish();
  if (failed === undefined) return code;
  if (failed === "broken") return EXIT.brokenPipe;
  fail(out, env, failed.error);
  await out.finish();
  return code === EXIT.ok ? EXIT.someFailed : code;
}

async function runWords(
  words: readonly string[],
  parts: CliParts,
  out: StreamOutput,
  stop: Stop,
): Promise<number> {
  let code: number = EXIT.ok;
  try {
    const entries = await typedCommands(words, {
      modules: parts.commands,
      runtime: parts.runtime,
    });
    await runLine(entries, words, {
      help: (text) => out.write(text),
      async run(command, given, args) {
        const options = given as OptionsOf<typeof GLOBAL_OPTIONS>;
        out.configure(options);
        const context = createContext({
          env: parts.env,
          out,
          terminal: parts.terminal,
          signal: stop.signal,
          takeHangUp: (run) => stop.takeHangUp(run),
          takeSignals: (run, which) => stop.takeSignals(run, which),
          meshName: options.mesh ?? (parts.env.processes.variable("MINIME_MESH") || undefined),
          connect: parts.connect,
        });
        const run = await command.load();
        code = await run(context, given as OptionsOf<Options>, args) ?? EXIT.ok;
      },
    });
    return code;
  } catch (error) {
    const stopped = stop.exitCode;
    if (stopped !== undefined && stop.explains(error)) return stopped;
    fail(out, parts.env, error);
    return stopped ?? exitCodeFor(error);
  }
}

function fail(out: StreamOutput, env: Environment, error: unknown): void {
  const text = failureText(error, { debug: env.processes.variable("MINIME_DEBUG") === "1" });
  out.writeError(`${out.paintError("red", "minime:")} ${text}\n`);
}
