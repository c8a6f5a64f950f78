/** The commands of background jobs: what runs where, its output, its end. */

import {
  CallError,
  ConnectionError,
  FirstSignal,
  MinimeError,
  UsageError,
} from "../../core/mod.ts";
import * as v from "valibot";
import type { CommandContext, MeshClient, OptionsOf } from "../shared/command.ts";
import { EXIT } from "../shared/exit_code.ts";
import { callTargets, type GroupCallOptions } from "../shared/group_client.ts";
import { reportFailures } from "../shared/group_report.ts";
import type { GroupResult, StreamedItem } from "../shared/group_result.ts";
import { GROUP_MS_MAX, GROUP_NODE_BYTES_MAX, SILENT_MS_MAX } from "../shared/limits.ts";
import { lossOf } from "../shared/lost_daemon.ts";
import { compareNames } from "../shared/names.ts";
import { presentTargetsOf, type Targets } from "../shared/missing_nodes.ts";
import { readSelection } from "../shared/node_selection.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { DaemonWatch } from "../shared/daemon_watch.ts";
import type { jobOptions, jobsOptions, killOptions, logsOptions } from "./commands.ts";
import { endJson } from "./end_json.ts";
import { chunkOf, signalFailure } from "./execution.ts";
import { readJobName } from "./job_name.ts";
import { askLostAgain } from "./lost_nodes.ts";
import { type Found, nodesOfJob, targetsAmong, tellUncertain } from "./job_nodes.ts";
import { jobRows, viewsOf } from "./job_table.ts";
import { JOB_MS_MAX } from "./limits.ts";
import { LineOutput } from "./line_output.ts";
import { type JobEnd, JobEndSchema, signalNamed, SIGNALS_TEXT } from "./order.ts";
import { Outcome } from "./outcome.ts";

interface Asked extends Pick<GroupCallOptions, "onItems" | "signal"> {
  readonly verb: string;
  readonly args: unknown;
  readonly deadlineMs: number;
}

/** `minime jobs`: one line for each job and state, with its nodes. */
export async function runJobs(
  context: CommandContext,
  options: OptionsOf<typeof jobsOptions>,
): Promise<number> {
  const { out, env } = context;
  await using client = await context.connect();
  const nodes = await nodesOf(context, client, options);
  const asked = { verb: "exec.jobs", args: {}, deadlineMs: JOB_MS_MAX };
  const result = await ask(client, nodes, asked, options);
  const views = viewsOf(result.values);
  if (options.json) {
    const jobs = views.map(({ node, end, ...view }) => ({
      node,
      ...view,
      ...(end === undefined ? {} : { end: endJson(end) }),
    }));
    out.json({ jobs });
  } else {
    out.table([
      { header: "JOB" },
      { header: "NODES" },
      { header: "STATE" },
      { header: "SINCE", align: "right" },
      { header: "COMMAND" },
    ], jobRows(views, env.clock.now()));
  }
  return tellFailures(context, result);
}

/** `minime logs`: the output that is kept, and with -f what comes. */
export async function runLogs(
  context: CommandContext,
  options: OptionsOf<typeof logsOptions>,
  args: readonly string[],
): Promise<number> {
  return await withJob(context, options, args, {
    run: (client, nodes, job) => followLogs(context, { client, nodes, job, options }),
    follows: options.follow ? "output" : undefined,
    report(result, found) {
      warnOfCuts(context, found);
      return tellFailures(context, result);
    },
  });
}

/** `minime wait`: the exit code of the programs, when all have ended. */
export async function runWait(
  context: CommandContext,
  options: OptionsOf<typeof jobOptions>,
  args: readonly string[],
): Promise<number> {
  return await withJob(context, options, args, {
    run: (client, nodes, job) => awaitEnd(context, { client, nodes, job, options }),
    follows: "end",
    report: (result, found) => reportEnds(context, result, found),
  });
}

/**
 * `minime attach`: follows the output; ^C goes to the job; ends with its exit code. A job outlives its
 * client: a terminal that closes, SIGTERM and ^\ end the client alone.
 */
export async function runAttach(
  context: CommandContext,
  options: OptionsOf<typeof jobOptions>,
  args: readonly string[],
): Promise<number> {
  const { out, env } = context;
  const leaving = new AbortController();
  using first = new FirstSignal(context.signal, leaving.signal);
  const { signal } = first;
  // Until the end, also while lost nodes are asked again.
  using handlers = new DisposableStack();
  handlers.use(env.processes.onSignal("SIGQUIT", () => {
    leaving.abort(new CallError("cancelled", "Left"));
  }));
  let interrupts: Disposable | undefined;
  try {
    return await withJob(context, options, args, {
      signal,
      async run(client, nodes, job) {
        interrupts ??= handlers.use(context.takeSignals((name, count) => {
          const sent = count > 1 ? "SIGKILL" : name;
          out.note(
            count > 1
              ? "Killing the job"
              : "SIGINT goes to the job; again to kill it, ^\\ to leave",
          );
          const asked = { verb: "exec.kill", args: { job, signal: sent }, deadlineMs: JOB_MS_MAX };
          ask(client, nodes, asked, options).catch((error) => out.warn(signalFailure(sent, error)));
        }, { only: ["SIGINT"] }));
        const how = { ...options, follow: true, bare: false };
        return await followLogs({ out, env, signal }, { client, nodes, job, options: how });
      },
      follows: "output",
      report(result, found) {
        warnOfCuts(context, found);
        return reportEnds(context, result, found);
      },
    });
  } catch (error) {
    if (!leaving.signal.aborted || context.signal.aborted) throw error;
    out.note("Left the job; it goes on");
    return EXIT.left;
  }
}

/** `minime kill`: a signal to the job on all of its nodes. */
export async function runKill(
  context: CommandContext,
  options: OptionsOf<typeof killOptions>,
  args: readonly string[],
): Promise<number> {
  const [first = "", ...rest] = args;
  const given = first.startsWith("-") ? first.slice(1) : options.signal;
  const signal = signalNamed(given);
  if (signal === undefined) {
    const hint = `One of ${SIGNALS_TEXT}`;
    throw new UsageError(`"${given}" is no signal that can be sent`, { hint });
  }
  const names = first.startsWith("-") ? rest : args;
  return await withJob(context, options, names, {
    run(client, nodes, job) {
      const asked = { verb: "exec.kill", args: { job, signal }, deadlineMs: JOB_MS_MAX };
      return ask(client, nodes, asked, options);
    },
    report(result, found) {
      const isOver = [...found.values()].every(({ end }) => end !== undefined);
      if (isOver && found.size > 0 && result.failures.size === 0) {
        context.out.note("It has ended before");
      }
      return tellFailures(context, result);
    },
  });
}

/**
 * Asks the nodes about the one job that the arguments name, and resolves with the exit code that
 * `report` gives: of those that have it, or of none when none has answered. Those that were not up are
 * asked after the others, if one of these says that they were to run it.
 *
 * @throws MinimeError when those that answered do not have it
 */
async function withJob(
  context: CommandContext,
  options: OptionsOf<typeof jobOptions>,
  args: readonly string[],
  { run, follows, report, signal = context.signal }: {
    readonly run: (client: MeshClient, nodes: Targets, job: string) => Promise<GroupResult>;
    /** Nodes that are lost in the middle are asked again how it ended. @default they are not */
    readonly follows?: "end" | "output" | undefined;
    readonly report: (result: GroupResult, found: Found) => number;
    /** Ends the asking. @default the command's own */
    readonly signal?: AbortSignal;
  },
): Promise<number> {
  const [given, second] = args;
  if (given === undefined) throw new UsageError("JOB is missing");
  if (second !== undefined) throw new UsageError(`Unexpected argument "${second}": name one job`);
  const job = readJobName(given);
  const { out, env } = context;
  await using client = await context.connect();
  const nodes = await nodesOf(context, client, options);
  const result = await run(client, nodes, job);
  const back = follows === undefined ? new Set<string>() : await askLostAgain(
    {
      clock: env.clock,
      signal,
      onLost: (names) => out.note(`${foldNodeset(names)}: lost; asked again for a while`),
    },
    result,
    (lost) => awaitEnd({ env, out, signal }, { client, nodes: lost, job, options }),
  );
  const found = new Map(foundIn(result));
  const ordered = nodesOfJob(found);
  for (const name of back) {
    if (found.has(name)) {
      if (follows === "output") {
        out.warn(`${name}: output since its daemon was lost is not shown: see minime logs`);
      }
    } else if (ordered.size === 0 || ordered.has(name)) {
      result.answered.delete(name);
      result.failures.set(name, { name, set: "failed", reason: "The job is not known any more" });
    }
  }
  const away = targetsAmong(ordered, nodes.away);
  if (away !== undefined) {
    const rest = await run(client, away, job);
    for (const [name, end] of foundIn(rest)) found.set(name, end);
    result.miss([...rest.failures.values()]);
  }
  tellUncertain(result, ordered);
  if (found.size > 0 || result.values.size === 0) return report(result, found);
  tellFailures(context, result);
  const where = result.failures.size === 0
    ? "these nodes"
    : foldNodeset([...result.values.keys()].sort(compareNames));
  throw new MinimeError(`There is no job "${job}" of yours on ${where}`);
}

function foundIn({ values }: GroupResult): Found {
  const found = new Map<string, JobEnd>();
  for (const [name, value] of values) {
    const parsed = v.safeParse(JobEndSchema, value, { abortEarly: true });
    if (!parsed.success) throw new CallError("failed", `Answer of "${name}" is malformed`);
    if (parsed.output.found) found.set(name, parsed.output);
  }
  return found;
}

/** Who did not answer, as other commands that run programs tell it; the exit code that comes of it. */
function tellFailures({ out, env }: CommandContext, result: GroupResult): number {
  const writeError = (line: string) => out.writeError(`minime: ${line}`);
  return reportFailures(result, { out: { writeError }, now: env.clock.now() });
}

async function followLogs(
  context: Pick<CommandContext, "env" | "out" | "signal">,
  parts: {
    readonly client: MeshClient;
    readonly nodes: Targets;
    readonly job: string;
    readonly options: OptionsOf<typeof logsOptions>;
  },
): Promise<GroupResult> {
  const { out, signal } = context;
  const { client, nodes, job, options } = parts;
  const { follow, bare } = options;
  const lines = new LineOutput({ out, labelled: !bare, single: nodes.names.length === 1 });
  const asked = {
    verb: "exec.logs",
    args: { job, follow },
    async onItems(items: readonly StreamedItem[]) {
      for (const [name, value, lost] of items) {
        if (lost > 0) lines.lost(name);
        await lines.take(name, chunkOf(value));
      }
    },
  };
  try {
    return follow
      ? await askForLong(context, client, nodes, asked, options)
      : await ask(client, nodes, { ...asked, deadlineMs: JOB_MS_MAX, signal }, options);
  } finally {
    lines.finish();
  }
}

function warnOfCuts({ out }: CommandContext, found: Found): void {
  for (const [name, { cutBytes }] of found) {
    if (cutBytes !== undefined) out.warn(`${name}: ${cutBytes} bytes of output are not kept`);
  }
}

async function ask(
  client: MeshClient,
  nodes: Targets,
  { verb, args, ...more }: Asked,
  { user }: Pick<OptionsOf<typeof jobOptions>, "user">,
): Promise<GroupResult> {
  return await callTargets(client, nodes, async (all) => ({
    signed: await client.sign(verb, args, { targets: all, as: user ?? "$user" }),
    bytesPerNodeMax: GROUP_NODE_BYTES_MAX,
    ...more,
  }));
}

/** How it ended, as soon as it has. */
async function awaitEnd(
  context: Pick<CommandContext, "env" | "out" | "signal">,
  { client, nodes, job, options }: {
    readonly client: MeshClient;
    readonly nodes: Targets;
    readonly job: string;
    readonly options: Pick<OptionsOf<typeof jobOptions>, "user">;
  },
): Promise<GroupResult> {
  return await askForLong(context, client, nodes, { verb: "exec.wait", args: { job } }, options);
}

/**
 * As long as it takes; not of a daemon that says nothing any more.
 *
 * @throws ConnectionError when that is lost: its exit code is not that of a job which ended with 1
 */
async function askForLong(
  { env, out, signal }: Pick<CommandContext, "env" | "out" | "signal">,
  client: MeshClient,
  nodes: Targets,
  asked: Omit<Asked, "deadlineMs" | "signal">,
  options: Pick<OptionsOf<typeof jobOptions>, "user">,
): Promise<GroupResult> {
  using silence = new DaemonWatch({
    clock: env.clock,
    caller: client,
    node: client.via.name,
    silentMs: SILENT_MS_MAX,
    signal,
    onQuiet: (text) => out.warn(text),
  });
  const long = { ...asked, deadlineMs: GROUP_MS_MAX, signal: silence.signal };
  try {
    return await ask(client, nodes, long, options);
  } catch (cause) {
    const { reason } = lossOf({ via: client.via.name, error: cause });
    throw new ConnectionError("other", reason, { cause });
  }
}

/** Those that are named; without a name all that are up, since nobody knows where a job runs. */
async function nodesOf(
  context: CommandContext,
  client: MeshClient,
  options: OptionsOf<typeof jobOptions>,
): Promise<Targets & { readonly away: Targets }> {
  return await presentTargetsOf(context, client, await readSelection(context, options));
}

function reportEnds(
  { out, env }: CommandContext,
  { failures }: GroupResult,
  found: Found,
): number {
  const outcome = new Outcome([...failures.values()]);
  for (const [name, { end }] of found) {
    if (end === undefined) outcome.fail(name, "It still runs");
    else outcome.ends.set(name, end);
  }
  for (const line of outcome.lines({ now: env.clock.now() })) out.writeError(`minime: ${line}\n`);
  return outcome.exitCode;
}
