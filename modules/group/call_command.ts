/** `minime call`: any verb on any nodes. */

import { UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { formatFold } from "../shared/fold.ts";
import { callTargets } from "../shared/group_client.ts";
import { reportFailures } from "../shared/group_report.ts";
import type { GroupResult } from "../shared/group_result.ts";
import { groupTargetsOf } from "../shared/missing_nodes.ts";
import { readSelection } from "../shared/node_selection.ts";
import { printable } from "../shared/text.ts";
import type { callOptions } from "./commands.ts";
import { plural } from "../shared/plural.ts";

type CallOptions = OptionsOf<typeof callOptions>;

const JSON_INDENT = 2;

/** Exit code: whether all nodes answered, some, or none. */
export async function runCall(
  context: CommandContext,
  options: CallOptions,
  args: readonly string[],
): Promise<number> {
  const { out, signal, env } = context;
  const [verb = "", json] = args;
  const step = { verb, ...(json === undefined ? {} : { args: parseArguments(json) }) };
  const selection = await readSelection(context, options);
  await using client = await context.connect();
  const targets = await groupTargetsOf(context, client, selection);
  const { kind } = options.reduce;
  const all = targets.names.length + targets.missing.length;
  const result = await callTargets(client, targets, async (nodes) => ({
    reduce: options.reduce,
    deadlineMs: options.timeout,
    signal,
    ...(options.sign
      ? { signed: await client.sign(verb, step.args, { targets: nodes }) }
      : { steps: [step] }),
    onPart: ({ answered, failures }) =>
      out.progress(`${answered.size + failures.size} of ${plural(all, "node")}`),
  }));
  out.progress(undefined);
  if (options.json) out.json(jsonOf(result, kind));
  else print(context, result, kind);
  return reportFailures(result, { out, now: env.clock.now() });
}

function parseArguments(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UsageError(`Cannot read arguments ${JSON.stringify(printable(text, 80))}`, {
      cause,
      hint: `JSON is expected, as in '{"coarse": true}'`,
    });
  }
}

function print(
  { out }: CommandContext,
  result: GroupResult,
  kind: CallOptions["reduce"]["kind"],
): void {
  if (kind === "fold") out.write(formatFold(result.folded(), (answer) => textOf(answer)));
  else if (kind === "list") {
    for (const [name, answer] of result.values) {
      out.print(`${name}: ${printable(JSON.stringify(answer) ?? "")}`);
    }
  } else out.print(textOf(result.reduced));
}

function jsonOf(result: GroupResult, kind: CallOptions["reduce"]["kind"]): unknown {
  const answers = kind === "fold"
    ? { answers: result.folded().map(({ nodeset, value }) => ({ nodes: nodeset, value })) }
    : kind === "list"
    ? { answers: [...result.values].map(([nodes, value]) => ({ nodes, value })) }
    : { reduced: result.reduced };
  return { ...answers, counts: result.counts, failures: [...result.failures.values()] };
}

/** A text is printed line by line, anything else as indented JSON; neither can move a cursor. */
function textOf(answer: unknown): string {
  const text = typeof answer === "string"
    ? answer
    : JSON.stringify(answer, null, JSON_INDENT) ?? "";
  return text.split("\n").map((line) => printable(line)).join("\n");
}
