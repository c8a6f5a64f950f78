/** `minime shell`: an interactive terminal on one node, end to end. */

import { CallError, UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { EXIT } from "../shared/exit_code.ts";
import type { shellOptions } from "./commands.ts";
import { CONNECT_MS_DEFAULT } from "./limits.ts";
import { STDOUT } from "./program.ts";
import { runInSession, type SessionRunOptions } from "./session_run.ts";
import { withEscape } from "./escape.ts";
import { Windows } from "./windows.ts";

/** What a terminal is that does not say so. */
const WINDOW_DEFAULT = { rows: 24, columns: 80 };
const KIND_DEFAULT = "xterm";
/** Runs the user's own shell of that node, as a login does. */
const LOGIN = ["/bin/sh", "-c", 'exec "$SHELL" -l'];

/** Exit code: that of the program. */
export async function runShell(
  context: CommandContext,
  options: OptionsOf<typeof shellOptions>,
  args: readonly string[],
): Promise<number> {
  const [node = "", ...words] = args;
  const command = words[0] === "--" ? words.slice(1) : words;
  return await runTerminal(context, {
    node,
    order: { argv: command.length === 0 ? LOGIN : command },
    as: options.user ?? "$user",
    connectMs: options.connectTimeout ?? CONNECT_MS_DEFAULT,
  });
}

/** Gives our terminal to that program until it ends. */
export async function runTerminal(
  context: CommandContext,
  run: Pick<SessionRunOptions, "node" | "order" | "as" | "connectMs">,
): Promise<number> {
  const { env, out, stdin } = context;
  if (!stdin.isTerminal || !context.isTerminal) {
    throw new UsageError("A terminal is needed on stdin and stdout", {
      hint: "For a program without one: minime exec -w NODE CMD",
    });
  }
  const gone = new AbortController();
  const leave = (reason: string) => gone.abort(new CallError("cancelled", reason));
  const stop = () => gone.abort(context.signal.reason);
  const stopped = Promise.withResolvers<void>();
  // Nobody may be reading what we write: that must not keep the terminal from its owner.
  const unlessStopped = (writing: Promise<void>) => Promise.race([writing, stopped.promise]);
  gone.signal.addEventListener("abort", () => stopped.resolve());
  const windows = new Windows();
  await using cleanUp = new AsyncDisposableStack();
  context.signal.addEventListener("abort", stop);
  cleanUp.defer(() => context.signal.removeEventListener("abort", stop));
  cleanUp.use(env.processes.onSignal("SIGWINCH", () => windows.changed(windowOf(context))));
  const kind = env.processes.variable("TERM") ?? "";
  const running = runInSession(context, {
    ...run,
    order: {
      ...run.order,
      terminal: {
        ...windowOf(context),
        kind: /^[A-Za-z0-9._+-]{1,64}$/.test(kind) ? kind : KIND_DEFAULT,
      },
    },
    input: windows.mixedWith(withEscape(stdin.bytes, () => leave("Left by ~."))),
    signal: gone.signal,
    onStart: () => {
      cleanUp.use(stdin.raw());
      // Before the terminal is as it was: it would change what the other one made of line ends.
      cleanUp.defer(() => unlessStopped(out.written()));
    },
    async onOutput([stream, bytes]) {
      if (stream === STDOUT) out.write(bytes);
      else out.writeError(forRawTerminal(bytes));
      await unlessStopped(out.ready());
    },
  });
  const end = await running.catch((error: unknown) => {
    throw isRefusal(error) ? refusedBy(run.node, error) : error;
  });
  if (end.error !== undefined) out.writeError(`minime: ${run.node}: ${end.error}\r\n`);
  if (!end.timedOut) return end.code;
  // What ran the program has left its last word without a line feed, and says nothing of how it ended.
  out.writeError(`\r\nminime: ${run.node}: out of time\r\n`);
  return EXIT.timedOut;
}

/** What started the program complains there, and knows nothing of our terminal: lines begin at its left. */
function forRawTerminal(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replaceAll(/\r?\n/g, "\r\n");
}

function isRefusal(error: unknown): error is CallError {
  return error instanceof CallError && error.class === "refused";
}

/** As exec without a terminal says it. */
function refusedBy(node: string, cause: CallError): CallError {
  return new CallError("refused", `${node}: refused: ${cause.message}`, { cause });
}

function windowOf({ rows, columns }: CommandContext): { rows: number; columns: number } {
  return { rows: rows ?? WINDOW_DEFAULT.rows, columns: columns ?? WINDOW_DEFAULT.columns };
}
