/** `minime exec`: a program on any number of nodes. */

import { UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf, StopSignal } from "../shared/command.ts";
import { EXIT } from "../shared/exit_code.ts";
import { failureLines } from "../shared/group_report.ts";
import type { NodeFailure } from "../shared/group_result.ts";
import { groupTargetsOf } from "../shared/missing_nodes.ts";
import { readSelection, takesInput } from "../shared/node_selection.ts";
import { startJob } from "./background.ts";
import type { execOptions } from "./commands.ts";
import { endJson, failureJson } from "./end_json.ts";
import { EventOutput } from "./event_output.ts";
import { Execution, signalFailure } from "./execution.ts";
import { FailureNews } from "./failure_news.ts";
import { FolderOutput } from "./folder_output.ts";
import { printDifferences, printFolded } from "./fold_output.ts";
import { KeptInput } from "./kept_input.ts";
import {
  COLLECT_BYTES_DEFAULT,
  CONNECT_MS_DEFAULT,
  SESSIONS_MAX,
  VARIABLES_MAX,
} from "./limits.ts";
import { LineOutput } from "./line_output.ts";
import type { RunOrderInput } from "./order.ts";
import { Outcome } from "./outcome.ts";
import { PrivateExecution } from "./private_execution.ts";
import { runTerminal } from "./shell_command.ts";
import { type InputSource, SharedInput } from "./shared_input.ts";
import type { OutputSink } from "./sink.ts";
import { Stdin } from "./stdin.ts";
import { plural } from "../shared/plural.ts";

type Options = OptionsOf<typeof execOptions>;

/** Exit codes of who is told to stop for good. */
const INTERRUPTIONS = {
  SIGINT: EXIT.interrupted,
  SIGTERM: EXIT.terminated,
  SIGHUP: EXIT.hungUp,
} as const satisfies Record<StopSignal, number>;

/** Exit code: the largest one of the programs; see docs/exec.md. */
export async function runExec(
  context: CommandContext,
  options: Options,
  args: readonly string[],
): Promise<number> {
  checkOptions(options);
  const { env, out } = context;
  const order = orderOf(context, options, args);
  const selection = await readSelection(context, options);
  if (!selection.given) {
    throw new UsageError("Say on which nodes: -w NODESET, -g GROUP, or -a for all of them");
  }
  const isFree = !options.noInput && !context.stdin.isTerminal && !takesInput(options);
  const reads = isFree && !options.bg && !options.terminal;
  const stdin = reads ? new Stdin(context.stdin.bytes) : undefined;
  const { connectTimeout: connectMs } = options;
  await using client = await context.connect(
    connectMs === undefined ? {} : { timeoutMs: connectMs },
  );
  const targets = await groupTargetsOf(context, client, selection, { atOnce: unaskedOf(options) });
  const { names: nodes, missing, expected } = targets;
  if (nodes.length === 0) return await tellMissing(context, options, missing);
  const as = options.user ?? "$user";
  if (options.terminal) {
    const [node = "", ...others] = nodes;
    if (others.length + missing.length > 0) throw new UsageError("A terminal is for one node only");
    return await runTerminal(context, {
      node,
      order,
      as,
      connectMs: connectMs ?? CONNECT_MS_DEFAULT,
    });
  }
  if (options.bg) {
    const startMs = connectMs ?? CONNECT_MS_DEFAULT;
    const { name } = options;
    const parts = { client, nodes, missing, expected, order, as, connectMs: startMs, name };
    return report(context, await startJob(context, parts));
  }
  const sink = await sinkOf(context, options, nodes);
  const fanout = options.fanout ?? nodes.length;
  const common = {
    nodes,
    missing,
    expected,
    order,
    as,
    connectMs: connectMs ?? CONNECT_MS_DEFAULT,
    fanout,
    sink,
    onQuiet: (text: string) => out.warn(text),
    ...(sink === undefined && context.stderrIsTerminal
      ? { onProgress: (done: number) => out.progress(`${done} of ${plural(nodes.length, "node")}`) }
      : {}),
  };
  const atOnce = Math.min(fanout, options.private ? SESSIONS_MAX : fanout);
  using cleanUp = new DisposableStack();
  let input: InputSource | undefined;
  if (stdin !== undefined && !stdin.isEmpty) {
    const readers = options.private ? nodes.length : 1;
    input = atOnce >= nodes.length
      ? new SharedInput(stdin.bytes(), readers)
      : cleanUp.use(new KeptInput(stdin.bytes(), env));
  }
  const parts = { ...common, ...(input === undefined ? {} : { stdin: input }) };
  const execution = options.private
    ? new PrivateExecution({ ...parts, context })
    : new Execution({ ...parts, client, env });
  const { outcome, interruption } = await attend(context, execution);
  out.progress(undefined);
  const code = await tell(context, options, { sink, outcome });
  return interruption ?? code;
}

/** What is left to say when all is over. */
async function tell(
  context: CommandContext,
  options: Options,
  { sink, outcome }: { readonly sink: OutputSink | undefined; readonly outcome: Outcome },
): Promise<number> {
  if (sink === undefined) print(context, options, outcome);
  else {
    for (const failure of outcome.failures.values()) sink.fail(failure);
    await sink.finish();
  }
  return report(context, outcome);
}

/** Of all nodes it is known beforehand that they are not there. */
async function tellMissing(
  context: CommandContext,
  options: Options,
  missing: readonly NodeFailure[],
): Promise<number> {
  const outcome = new Outcome(missing);
  if (!options.json) return report(context, outcome);
  return await tell(context, options, { sink: await sinkOf(context, options, []), outcome });
}

/** How many nodes are sent to at once without asking before who of them is missing. */
function unaskedOf(options: Options): number {
  const { outdir, errdir, bare, fanout = Infinity } = options;
  // A session is one node's, and a file is made for each that is there.
  if (options.private || options.terminal || outdir !== undefined || errdir !== undefined) return 0;
  // With one node they are exactly its bytes.
  return bare ? 1 : fanout;
}

/** Who failed and why, on stderr. */
function report({ out, env }: CommandContext, outcome: Outcome): number {
  for (const line of outcome.lines({ now: env.clock.now() })) out.writeError(`minime: ${line}\n`);
  return outcome.exitCode;
}

/** To its end, while signals go to the programs: politely first, then for good. */
async function attend(
  context: CommandContext,
  execution: Execution | PrivateExecution,
): Promise<{ readonly outcome: Outcome; readonly interruption: number | undefined }> {
  const { out, signal, env: { clock } } = context;
  using _news = new FailureNews(clock, execution.outcome.failures, (failures) => {
    for (const line of failureLines(failures, { now: clock.now() })) out.warn(line);
  });
  let signals = 0;
  let interruption: number = EXIT.interrupted;
  using _signals = context.takeSignals((name, count) => {
    signals = count;
    interruption = INTERRUPTIONS[name];
    const wasKilled = count > 1;
    const sent = wasKilled ? "SIGKILL" : name;
    out.note(
      wasKilled ? "Killing the programs" : `${name} goes to the programs; again to kill them`,
    );
    execution.signal(sent).catch((error) => out.warn(signalFailure(sent, error)));
  });
  const stop = () => execution.cancel("Nobody reads the output any more");
  signal.addEventListener("abort", stop);
  try {
    signal.throwIfAborted();
    const outcome = await execution.finish();
    const isInterrupted = signals > (outcome.ends.size === 0 ? 0 : 1);
    return { outcome, interruption: isInterrupted ? interruption : undefined };
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function checkOptions(options: Options): void {
  const ways = [
    ["--fold", options.fold],
    ["--diff", options.diff],
    ["--bare", options.bare],
    ["--json", options.json],
    ["--outdir", options.outdir !== undefined],
    ["--terminal", options.terminal],
  ] as const;
  const [first, second] = ways.filter(([, given]) => given).map(([name]) => name);
  if (second !== undefined) throw new UsageError(`${first} and ${second} exclude each other`);
  if (options.name !== undefined && !options.bg) throw new UsageError("--name needs --bg");
  if (options.bg && (first !== undefined || options.errdir !== undefined)) {
    const text = `--bg and ${first ?? "--errdir"} exclude each other`;
    throw new UsageError(text, { hint: "The output of a job is shown by minime logs" });
  }
  if (options.terminal) {
    const idle = [
      ["--errdir", options.errdir !== undefined],
      ["--fanout", options.fanout !== undefined],
      ["--no-input", options.noInput],
    ] as const;
    const [useless] = idle.filter(([, given]) => given).map(([name]) => name);
    if (useless !== undefined) {
      throw new UsageError(`--terminal and ${useless} exclude each other`);
    }
  }
  if (options.private && (options.bg || options.terminal)) {
    throw new UsageError(`--private and ${options.bg ? "--bg" : "--terminal"} exclude each other`);
  }
  if (options.bg && options.fanout !== undefined) {
    throw new UsageError("--bg and --fanout exclude each other");
  }
  if (options.stream && !options.json) throw new UsageError("--stream needs --json");
  if (options.errdir !== undefined && collects(options)) {
    throw new UsageError(`${first} and --errdir exclude each other`);
  }
}

/** Output comes back when the program has ended, equal output once. */
function collects({ fold, diff, json, stream }: Options): boolean {
  return fold || diff || (json && !stream);
}

function orderOf(
  context: CommandContext,
  options: Options,
  args: readonly string[],
): Omit<RunOrderInput, "run" | "nodeset"> {
  const [line = "", ...more] = args;
  if (line === "") throw new UsageError("The command is empty");
  const own = more.length === 0 ? [] : ["sh", ...more];
  const argv = options.shell ? ["/bin/sh", "-c", line, ...own] : [...args];
  const { chdir, umask, timeout, killAfter } = options;
  return {
    argv,
    variables: variablesOf(context, options),
    ...(chdir === undefined ? {} : { folder: chdir }),
    ...(umask === undefined ? {} : { umask }),
    ...(timeout === undefined ? {} : { timeoutMs: timeout }),
    ...(killAfter === undefined ? {} : { killAfterMs: killAfter }),
    ...(collects(options) ? { collectBytes: COLLECT_BYTES_DEFAULT } : {}),
  };
}

/** Ours that are to be passed, then those that were written out. */
function variablesOf(
  { env, out }: CommandContext,
  { env: given, passEnv }: Options,
): [name: string, value: string][] {
  const patterns = passEnv.map((text) =>
    new RegExp(`^${text.split("*").map((part) => RegExp.escape(part)).join(".*")}$`)
  );
  // A shell may export functions under names that are none elsewhere.
  const isName = (name: string) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
  const fits = (name: string) => isName(name) && patterns.some((pattern) => pattern.test(name));
  const asked = patterns.length > 0;
  const passed = asked
    ? Object.entries(env.processes.variables()).filter(([name]) => fits(name))
    : [];
  for (const name of asked ? env.processes.oddVariables().filter(fits) : []) {
    out.warn(`${name} is not passed: its value is not UTF-8`);
  }
  const count = passed.length + given.length;
  if (count > VARIABLES_MAX) {
    throw new UsageError(`${count} variables are too many: ${VARIABLES_MAX} is the most`);
  }
  return [...passed, ...given];
}

async function sinkOf(
  { env, out }: CommandContext,
  options: Options,
  nodes: readonly string[],
): Promise<OutputSink | undefined> {
  if (collects(options)) return undefined;
  if (options.json) return new EventOutput(out);
  const lines = new LineOutput({ out, labelled: !options.bare, single: nodes.length === 1 });
  const { outdir, errdir } = options;
  if (outdir === undefined && errdir === undefined) return lines;
  return await FolderOutput.open(env.files, { nodes, outdir, errdir, other: lines });
}

function print({ out }: CommandContext, options: Options, outcome: Outcome): void {
  if (options.fold) return printFolded(out, outcome);
  if (options.diff) return printDifferences(out, outcome);
  const nodes = outcome.nodes.map((name) => {
    const end = outcome.ends.get(name);
    if (end !== undefined) return { node: name, ...endJson(end) };
    const unknown = { name, set: "failed", reason: "No end of it is known" } as const;
    return failureJson(outcome.failures.get(name) ?? unknown);
  });
  out.json({ nodes, exitCode: outcome.exitCode });
}
