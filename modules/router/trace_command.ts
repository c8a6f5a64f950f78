/** `minime trace`: the time to each node on the way to others, in either class. */

import * as v from "valibot";
import { CallError, MinimeError, UsageError } from "../../core/mod.ts";
import { ROUTE_CLASSES, type RouteClass } from "../shared/carrier.ts";
import type { CommandContext, MeshClient, OptionsOf } from "../shared/command.ts";
import { exitCodeOf } from "../shared/exit_code.ts";
import { reachMesh } from "../shared/mesh_query.ts";
import type { NodeView } from "../shared/mesh_view.ts";
import { missingText, selectWithMissing } from "../shared/missing_nodes.ts";
import { operandNames, readOperand } from "../shared/node_selection.ts";
import { type RouteHop, type Trace, TraceSchema } from "../shared/route_view.ts";
import { printable } from "../shared/text.ts";
import { HOP_MARKS } from "./route_command.ts";
import type { traceOptions } from "./commands.ts";
import { plural } from "../shared/plural.ts";

/** Beyond what two echoes may take. */
const ANSWER_SLACK_MS = 2_000;

const COLUMNS = [
  { header: "HOP", align: "right" },
  { header: "NODE" },
  { header: "MIN", align: "right" },
  { header: "AVG", align: "right" },
  { header: "MAX", align: "right" },
  { header: "SEGMENT", spare: true },
] as const;

/** All echoes along the way of one class. */
interface Traced {
  readonly to: string;
  readonly from: string;
  readonly class: RouteClass;
  readonly sent: number;
  readonly answered: number;
  readonly hops: readonly (RouteHop & { readonly times: readonly number[] })[];
  /** Of the last echo that did not come back. */
  readonly why: string | undefined;
}

/** Exit code as for nodes that failed, each class counted for itself. */
export async function runTrace(
  context: CommandContext,
  options: OptionsOf<typeof traceOptions>,
  args: readonly string[],
): Promise<number> {
  const { out, signal } = context;
  const operands = await Promise.all(args.map((text) => readOperand(context, text)));
  const { client, view } = await reachMesh(context);
  await using _closing = client;
  const { nodes: targets, missing } = await selectWithMissing(context, client, {
    nodes: view.nodes,
    selection: {
      names: (source) => operands.flatMap((operand) => operandNames(operand, source)),
    },
  });
  if (targets.length + missing.nodes.length === 0) throw new UsageError("No node is selected");
  const classes = options.class === undefined ? ROUTE_CLASSES : [options.class];
  const all: Traced[] = [];
  const others = targets.filter(({ keyId }) => keyId !== view.self);
  if (others.length + missing.nodes.length === 0) {
    throw new UsageError(`"${client.via.name}" is the node where every way begins`);
  }
  const show = (traced: Traced) => {
    all.push(traced);
    if (!options.json) print(out, traced, all.length === 1);
  };
  for (const target of others) {
    for (const routeClass of classes) {
      const traced = await traceTo(client, {
        target,
        class: routeClass,
        count: options.count,
        timeoutMs: options.timeout,
        signal,
      });
      show(traced);
    }
  }
  for (const { name } of missing.nodes) {
    const why = `"${name}" is ${missingText(missing)}`;
    const about = { from: client.via.name, to: name, sent: 0, answered: 0, hops: [], why };
    for (const routeClass of classes) show({ ...about, class: routeClass });
  }
  if (options.json) {
    out.json({ mesh: client.meshName, via: client.via.name, traces: all.map(jsonOf) });
  }
  return exitCodeOf(all.length, all.filter(({ answered }) => answered === 0).length);
}

interface TraceQuestion {
  readonly target: NodeView;
  readonly class: RouteClass;
  readonly count: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** One echo after the other; the hops are those of the last one, with the times of the same way. */
async function traceTo(client: MeshClient, question: TraceQuestion): Promise<Traced> {
  const { target, class: routeClass, count, timeoutMs, signal } = question;
  let way: string | undefined;
  let times: number[][] = [];
  let last: Trace | undefined;
  let sent = 0;
  let answered = 0;
  let why: string | undefined;
  while (sent < count) {
    sent++;
    const args = { to: target.keyId, class: routeClass, timeoutMs };
    const deadlineMs = 2 * timeoutMs + ANSWER_SLACK_MS;
    last = parseTrace(await client.request("router.trace", args, { deadlineMs, signal }));
    if (last.ms === null) why = last.why ?? "no answer";
    else answered++;
    if (last.hops.length === 0) break;
    const taken = last.hops.map(({ keyId }) => keyId).join(" ");
    if (taken !== way) times = last.hops.map(() => []);
    way = taken;
    for (const [index, { ms }] of last.hops.entries()) if (ms !== null) times[index]?.push(ms);
  }
  if (last === undefined) throw new MinimeError("No echo was asked for");
  const hops = last.hops.map((hop, index) => ({ ...hop, times: times[index] ?? [] }));
  const { from, to } = last;
  return { from, to, class: routeClass, sent, answered, hops, why };
}

function print(out: CommandContext["out"], traced: Traced, isFirst: boolean): void {
  const { from, to, class: routeClass, sent, answered, hops, why } = traced;
  if (!isFirst) out.print("");
  const count = hops.length === 0 ? "no way" : plural(hops.length, "hop");
  const lost = answered === sent || hops.length === 0
    ? ""
    : `, ${answered} of ${sent} echoes answered`;
  out.print(`From ${from} to ${to}, class ${routeClass}: ${count}${lost}`);
  if (hops.length > 0) {
    out.table(
      COLUMNS,
      hops.map(({ name, kind, segment, times }, index) => [
        String(index + 1),
        name + HOP_MARKS[kind],
        ...spread(times),
        segment,
      ]),
    );
  }
  if (why !== undefined) out.print(printable(why));
}

function spread(times: readonly number[]): [string, string, string] {
  if (times.length === 0) return ["-", "-", "-"];
  const sum = times.reduce((all, one) => all + one, 0);
  const [least, most] = [Math.min(...times), Math.max(...times)];
  return [least.toFixed(3), (sum / times.length).toFixed(3), most.toFixed(3)];
}

function jsonOf({ hops, why, ...rest }: Traced): Record<string, unknown> {
  return {
    ...rest,
    hops: hops.map(({ times, ...hop }) => ({ ...hop, timesMs: times })),
    ...(why === undefined ? {} : { why }),
  };
}

function parseTrace(reply: unknown): Trace {
  const parsed = v.safeParse(TraceSchema, reply, { abortEarly: true });
  if (parsed.success) return parsed.output;
  throw new CallError("failed", `Answer of the router is malformed: ${parsed.issues[0].message}`);
}
