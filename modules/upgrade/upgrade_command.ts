/**
 * `minime upgrade`: a new program for nodes that go on living. All of them get the file before any
 * is touched; then each must be back in the mesh before the next one goes.
 */

import * as v from "valibot";
import { chooseSigning, MinimeError, NotFoundError, toHex, UsageError } from "../../core/mod.ts";
import type { CommandContext, MeshClient, OptionsOf } from "../shared/command.ts";
import { formatDuration } from "../shared/duration.ts";
import { EXIT } from "../shared/exit_code.ts";
import { callGroup } from "../shared/group_client.ts";
import { failureLines } from "../shared/group_report.ts";
import type { NodeView } from "../shared/mesh_view.ts";
import { reachMesh } from "../shared/mesh_query.ts";
import { selectWithMissing } from "../shared/missing_nodes.ts";
import { readSelection } from "../shared/node_selection.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { formatSize } from "../shared/size.ts";
import type { upgradeOptions } from "./commands.ts";
import { PIECE_BYTES, PUT_MS_MAX } from "./limits.ts";
import { type Roll, rollNode } from "./roll.ts";
import { PutReplySchema } from "./verbs.ts";

type Options = OptionsOf<typeof upgradeOptions>;

/** A program file that was read. */
interface Program {
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  readonly hash: string;
}

/** Exit code 0 when all nodes run the program, 1 when it stopped, 2 when nothing was begun. */
export async function runUpgrade(context: CommandContext, options: Options): Promise<number> {
  const { out } = context;
  const program = await readProgram(context, options.binary);
  const { client, view } = await reachMesh(context);
  await using _client = client;
  const selection = await readSelection(context, options);
  const meant = await selectWithMissing(context, client, { nodes: view.nodes, selection });
  const nodes = meant.nodes.filter(({ state }) => state === "up");
  const away = [
    ...meant.nodes.filter(({ state }) => state === "down" || (state === "left" && selection.named)),
    ...meant.missing.nodes,
  ].map(nameOf);
  if (selection.named && away.length > 0) {
    throw new UsageError(`${foldNodeset(away)} is not up`, {
      hint: "Leave it out with -x; later the same command brings it up to date",
    });
  }
  if (nodes.length === 0) throw new UsageError("No node is up");
  out.note(`Sending ${formatSize(program.size)} to ${foldNodeset(nodes.map(nameOf))}`);
  const versions = await put(context, { client, program, nodes });
  if (versions === undefined) return EXIT.allFailed;
  // The one that carries us goes last.
  const todo = nodes.filter(({ name }) => versions.get(name)?.same === false)
    .sort((a, b) => Number(a.name === client.via.name) - Number(b.name === client.via.name));
  const done = await roll(context, { options, client, program, todo });
  report(context, { options, nodes, todo, done, away, program });
  return done.length === todo.length && done.every(({ problem }) => problem === undefined)
    ? EXIT.ok
    : EXIT.someFailed;
}

async function readProgram({ env }: CommandContext, path: string | undefined): Promise<Program> {
  if (path === undefined) throw new UsageError("Say which program: --binary FILE");
  using primitives = await chooseSigning();
  try {
    const bytes = await env.files.read(path);
    return { path, size: bytes.length, hash: toHex(primitives.sha256(bytes)) };
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    throw new UsageError(`There is no file "${path}"`, { cause: error });
  }
}

/** To all nodes, along the mesh; undefined when one of them cannot take it, which is told. */
async function put(
  { env, out, signal }: CommandContext,
  { client, program, nodes }: {
    readonly client: MeshClient;
    readonly program: Program;
    readonly nodes: readonly NodeView[];
  },
): Promise<ReadonlyMap<string, v.InferOutput<typeof PutReplySchema>> | undefined> {
  const { path, hash, size } = program;
  const names = nodes.map(nameOf);
  const args = { hash, bytes: size };
  const result = await callGroup(client, {
    targets: foldNodeset(names),
    signed: await client.sign("upgrade.put", args, { targets: names }),
    deadlineMs: PUT_MS_MAX,
    input: piecesOf(await packed(env, path)),
    signal,
  });
  if (result.failures.size > 0) {
    for (const line of failureLines(result.failures.values(), { now: env.clock.now() })) {
      out.writeError(`${line}\n`);
    }
    out.writeError("minime: Nothing was changed: all nodes must be able to take the program\n");
    return undefined;
  }
  const replies = [...result.values].map(([name, value]) => {
    const parsed = v.safeParse(PutReplySchema, value);
    if (!parsed.success) throw new MinimeError(`Answer of "${name}" is malformed`);
    return [name, parsed.output] as const;
  });
  return new Map(replies);
}

/** By the fastest compression: the copy shall not wait for us. */
async function packed(
  { processes }: Pick<CommandContext["env"], "processes">,
  path: string,
): Promise<ReadableStream<Uint8Array>> {
  const child = await processes.spawn("gzip", { args: ["-1", "-c", "--", path], stdout: "piped" });
  return child.stdout as ReadableStream<Uint8Array>;
}

/** A stream that is cut is found out by its reader. */
async function* piecesOf(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      yield chunk.subarray(at, at + PIECE_BYTES);
    }
  }
}

/** Stops with the first ones that do not come up as they should. */
async function roll(
  context: CommandContext,
  { options, client, program, todo }: {
    readonly options: Options;
    readonly client: MeshClient;
    readonly program: Program;
    readonly todo: readonly NodeView[];
  },
): Promise<Roll[]> {
  const { out } = context;
  const done: Roll[] = [];
  for (let at = 0; at < todo.length; at += options.fanout) {
    const batch = todo.slice(at, at + options.fanout);
    out.progress(
      `${done.length} of ${todo.length} upgraded, now ${foldNodeset(batch.map(nameOf))}`,
    );
    const rolled = await Promise.all(
      batch.map((node) => rollNode(context, { client, node, hash: program.hash })),
    );
    done.push(...rolled);
    if (!options.json) rolled.forEach((each) => out.print(rollText(each)));
    if (rolled.some(({ problem }) => problem !== undefined)) break;
  }
  out.progress(undefined);
  return done;
}

function report(
  { out }: CommandContext,
  { options, nodes, todo, done, away, program }: {
    readonly options: Options;
    readonly nodes: readonly NodeView[];
    readonly todo: readonly NodeView[];
    readonly done: readonly Roll[];
    readonly away: readonly string[];
    readonly program: Program;
  },
): void {
  const rolled = new Set(done.map(({ name }) => name));
  const left = todo.map(nameOf).filter((name) => !rolled.has(name));
  const same = nodes.map(nameOf).filter((name) => !todo.some((node) => node.name === name));
  if (options.json) return out.json({ hash: program.hash, nodes: done, same, left, away });
  if (same.length > 0) out.print(`${foldNodeset(same)} ran it already`);
  if (away.length > 0) out.warn(`${foldNodeset(away)} is not up and keeps its program`);
  if (left.length > 0 || done.some(({ problem }) => problem !== undefined)) {
    const others = left.length === 0 ? "" : `; ${foldNodeset(left)} was not touched`;
    out.writeError(
      `minime: The upgrade stopped there${others}. What the node says: minime log -w NODE. The same ` +
        "command goes on; with --binary and the old program it goes back\n",
    );
  }
}

function rollText({ name, from, to, ms, problem }: Roll): string {
  if (problem !== undefined) return `${name}: ${problem}`;
  const versions = from === to ? `version ${to}` : `version ${from} to ${to}`;
  return `${name}: ${versions}, up again after ${formatDuration(ms)}`;
}

function nameOf({ name }: Pick<NodeView, "name">): string {
  return name;
}
