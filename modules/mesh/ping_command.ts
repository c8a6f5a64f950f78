/**
 * `minime ping`: the round trip from this program through the mesh to nodes, with the habits of
 * ping(8). When the daemon that carries it dies, the next one is taken: a ping that outlives its
 * first hop is what somebody needs who watches a mesh.
 */

import * as v from "valibot";
import { CallError, ConnectionError, errorText, UsageError } from "../../core/mod.ts";
import type { RouteClass } from "../shared/carrier.ts";
import type { CommandContext, MeshClient, OptionsOf } from "../shared/command.ts";
import { EXIT } from "../shared/exit_code.ts";
import { callGroup } from "../shared/group_client.ts";
import { reachMesh } from "../shared/mesh_query.ts";
import { MeshPicture } from "../shared/mesh_view.ts";
import { targetsAmong } from "../shared/missing_nodes.ts";
import { sortedNames } from "../shared/names.ts";
import { type NodeSelection, operandNames, readOperand } from "../shared/node_selection.ts";
import { type Trace, TraceSchema } from "../shared/route_view.ts";
import { printable } from "../shared/text.ts";
import { inWindow } from "../shared/window.ts";
import type { pingOptions } from "./commands.ts";
import { type PingAnswer, PingStatistics } from "./ping_statistics.ts";

/** A daemon takes 50 requests a second of one user: pings of many nodes wait for each other. */
const PINGS_AT_ONCE_MAX = 16;
/** How much later than its echoes the answer of a router may come. */
const ROUTER_SLACK_MS = 2_000;

/** Exit code: 1 when a node never answered. ^C is the usual end and no failure. */
export async function runPing(
  context: CommandContext,
  options: OptionsOf<typeof pingOptions>,
  args: readonly string[],
): Promise<number> {
  const { out, env, signal } = context;
  const operands = await Promise.all(args.map((text) => readOperand(context, text)));
  await using way = new Way(context);
  const names = await way.targets({
    named: true,
    given: true,
    names: (source) => operands.flatMap((operand) => operandNames(operand, source)),
  });
  const all = new Map(names.map((name) => [name, new PingStatistics()]));
  const from = env.clock.monotonic();
  try {
    for (let sequence = 1; sequence <= (options.count ?? Infinity); sequence++) {
      const next = env.clock.monotonic() + options.interval;
      await pingAll(way, [...all.keys()], {
        timeoutMs: options.timeout,
        record: options.record ? options.class : undefined,
        signal,
        onAnswer: (name, answer) => {
          all.get(name)?.add(answer);
          if (!options.json) out.print(lineOf(name, sequence, answer));
        },
      });
      if (sequence === options.count) break;
      await env.clock.sleep(Math.max(0, next - env.clock.monotonic()), { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  const elapsedMs = env.clock.monotonic() - from;
  if (options.json) {
    out.json({
      mesh: way.meshName,
      via: way.via,
      nodes: [...all].map(([name, statistics]) => ({ name, ...statistics.json() })),
    });
  } else {
    for (const [name, statistics] of all) {
      out.print(`\n--- ${name} ping statistics ---\n${statistics.text(elapsedMs)}`);
    }
  }
  const isSilent = [...all.values()].some(({ answered }) => answered === 0);
  return isSilent ? EXIT.someFailed : EXIT.ok;
}

interface Round {
  readonly timeoutMs: number;
  /** Goes by packets of this class, which record their way; undefined: by a group operation. */
  readonly record: RouteClass | undefined;
  readonly signal: AbortSignal;
  onAnswer(name: string, answer: PingAnswer): void;
}

async function pingAll(way: Way, names: readonly string[], round: Round): Promise<void> {
  await inWindow(names, PINGS_AT_ONCE_MAX, async (name) => {
    round.onAnswer(name, await way.ping(name, round));
  });
}

/** "From n3: seq=1 hops=1 time=0.812 ms", or why not. */
function lineOf(name: string, sequence: number, answer: PingAnswer): string {
  if (answer.ms === undefined) return `${name}: seq=${sequence} ${printable(answer.why)}`;
  const hops = answer.hops === undefined ? "" : ` hops=${answer.hops}`;
  const way = answer.way === undefined ? "" : ` way=${answer.way.join(",")}`;
  return `From ${name}: seq=${sequence}${hops} time=${answer.ms.toFixed(3)} ms${way}`;
}

/** The connection that pings take; another one after it broke. */
class Way implements AsyncDisposable {
  meshName: string | undefined;
  via: string | undefined;
  readonly #context: CommandContext;
  #client: Promise<{ client: MeshClient; picture: MeshPicture }> | undefined;
  /** Nodes of which the mesh had not heard, and what is said of them as long as it has not. */
  #missing: ReadonlyMap<string, string> = new Map();

  constructor(context: CommandContext) {
    this.#context = context;
  }

  /** Sorted; those that are missing too, which may come. */
  async targets(selection: NodeSelection): Promise<readonly string[]> {
    const { client, picture: { nodes } } = await this.#open();
    const about = { nodes, selection };
    const { names, missing } = await targetsAmong(this.#context, client, about);
    this.#missing = new Map(missing.map(({ name, reason }) => [name, reason]));
    return sortedNames([...names, ...this.#missing.keys()]);
  }

  async ping(name: string, round: Omit<Round, "onAnswer">): Promise<PingAnswer> {
    const { clock } = this.#context.env;
    const { signal, timeoutMs, record } = round;
    const opening = this.#open();
    try {
      const { client, picture } = await opening;
      const from = clock.monotonic();
      if (record !== undefined) {
        const trace = await askRouter(client, name, { class: record, timeoutMs, signal });
        const ms = clock.monotonic() - from;
        const way = trace.hops.map((hop) => hop.name);
        if (trace.ms === null) return { why: trace.why ?? "no answer" };
        return { ms, hops: way.length, way };
      }
      const result = await callGroup(client, {
        targets: name,
        steps: [{ verb: "core.ping", args: {} }],
        deadlineMs: timeoutMs,
        signal,
      });
      const ms = clock.monotonic() - from;
      const failure = result.failures.get(name);
      if (failure !== undefined) {
        const at = failure.at === undefined ? "" : `, lost at ${failure.at}`;
        return { why: `${failure.reason}${at}` };
      }
      return { ms, hops: hopsTo(picture, name) };
    } catch (error) {
      signal.throwIfAborted();
      const missing = this.#missing.get(name);
      if (missing !== undefined && isUnheard(error)) return { why: missing };
      const isGone = error instanceof ConnectionError ||
        (error instanceof CallError && error.class === "unreachable");
      if (!isGone && !(error instanceof CallError)) throw error;
      // The next ping finds another daemon, or says again that there is none.
      if (isGone && this.#client === opening) await this.#close();
      return { why: errorText(error) };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  #open(): Promise<{ client: MeshClient; picture: MeshPicture }> {
    this.#client ??= this.#connect();
    return this.#client;
  }

  async #connect(): Promise<{ client: MeshClient; picture: MeshPicture }> {
    const { client, view } = await reachMesh(this.#context);
    this.meshName = client.meshName;
    this.via = client.via.name;
    return { client, picture: new MeshPicture(view) };
  }

  async #close(): Promise<void> {
    const opening = this.#client;
    this.#client = undefined;
    if (opening === undefined) return;
    const opened = await opening.catch(() => undefined); // Who waited for it has the error.
    await opened?.client.close();
  }
}

/** No node of that name is known to who was asked. */
function isUnheard(error: unknown): boolean {
  return error instanceof UsageError || (error instanceof CallError && error.class === "invalid");
}

/** Twice the time: when no echo comes back, the router looks for where it was lost. */
async function askRouter(
  client: MeshClient,
  to: string,
  question: {
    readonly class: RouteClass;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
): Promise<Trace> {
  const { class: routeClass, timeoutMs, signal } = question;
  const args = { to, class: routeClass, timeoutMs };
  const deadlineMs = 2 * timeoutMs + ROUTER_SLACK_MS;
  const reply = await client.request("router.trace", args, { deadlineMs, signal });
  const parsed = v.safeParse(TraceSchema, reply, { abortEarly: true });
  if (parsed.success) return parsed.output;
  throw new CallError("failed", `Answer of the router is malformed: ${parsed.issues[0].message}`);
}

function hopsTo(picture: MeshPicture, name: string): number | undefined {
  const node = picture.byName(name);
  if (node === undefined) return undefined;
  return node.keyId === picture.self ? 0 : picture.wayTo(node.keyId)?.distance;
}
