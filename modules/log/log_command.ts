/** `minime log`: the logs of daemons, of this machine or of many nodes. */

import * as v from "valibot";
import { CallError, ConnectionError, errorText, UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { callTargets } from "../shared/group_client.ts";
import { reportFailures } from "../shared/group_report.ts";
import { GROUP_MS_MAX } from "../shared/limits.ts";
import { onlyLocalDaemon } from "../shared/local_daemon.ts";
import { presentTargetsOf } from "../shared/missing_nodes.ts";
import { readSelection } from "../shared/node_selection.ts";
import type { logOptions } from "./commands.ts";
import { LOG_MS_MAX } from "./limits.ts";
import { type LogItem, LogItemSchema } from "./log_line.ts";
import { LogOutput } from "./log_output.ts";

type Options = OptionsOf<typeof logOptions>;

/** Exit code 0 when all nodes have shown theirs; with --follow until interrupted. */
export async function runLog(context: CommandContext, options: Options): Promise<number | void> {
  const selection = await readSelection(context, options);
  const output = new LogOutput(context.out, options);
  if (!selection.given && options.exclude.length === 0) {
    return await ownLog(context, options, output);
  }
  if (options.name !== undefined) {
    throw new UsageError(
      "Option --name means a daemon of this machine: it goes without -w, -g, -a",
    );
  }
  const { signal, env, out } = context;
  await using client = await context.connect();
  const targets = await presentTargetsOf(context, client, selection);
  const result = await callTargets(client, targets, async (nodes) => ({
    signed: await client.sign("log.read", argsOf(options), { targets: nodes }),
    deadlineMs: options.follow ? GROUP_MS_MAX : LOG_MS_MAX,
    signal,
    onItems: async (items) => {
      for (const [name, value, lost] of items) {
        if (lost > 0) out.warn(`${name}: lines were lost when a relay died`);
        await output.take(name, itemOf(name, value));
      }
    },
  }));
  await output.finish();
  return reportFailures(result, { out, now: env.clock.now() });
}

async function ownLog(
  context: CommandContext,
  options: Options,
  output: LogOutput,
): Promise<void> {
  const { calls, name } = await onlyLocalDaemon(context, options.name).catch((error: unknown) => {
    if (!(error instanceof ConnectionError)) throw error;
    const text = `${errorText(error)}: of other nodes by -w NODESET, or -a`;
    throw new ConnectionError(error.reason, text, { cause: error });
  });
  try {
    const call = calls.stream("log.own", argsOf(options), {
      deadlineMs: options.follow ? 0 : LOG_MS_MAX,
      signal: context.signal,
    });
    for await (const item of call) await output.take(name, itemOf(name, item));
    await call.reply;
    await output.finish();
  } finally {
    await calls.close("client is done");
  }
}

function argsOf({ level, since, lines, follow }: Options): Record<string, unknown> {
  return { level, lines, follow, ...(since === undefined ? {} : { sinceMs: since }) };
}

function itemOf(name: string, value: unknown): LogItem {
  const parsed = v.safeParse(LogItemSchema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  throw new CallError("failed", `The log of "${name}" is malformed`);
}
