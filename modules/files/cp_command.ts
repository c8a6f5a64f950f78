/** `minime cp`: files to nodes, or from them. */

import {
  chooseSigning,
  FileError,
  NotFoundError,
  type SigningPrimitives,
  UsageError,
} from "../../core/mod.ts";
import { formatDuration } from "../shared/duration.ts";
import type { CommandContext, MeshClient, OptionsOf } from "../shared/command.ts";
import { EXIT } from "../shared/exit_code.ts";
import type { NodeFailure } from "../shared/group_result.ts";
import { groupTargetsOf, type Targets } from "../shared/missing_nodes.ts";
import { readSelection } from "../shared/node_selection.ts";
import { formatSize } from "../shared/size.ts";
import { printable } from "../shared/text.ts";
import { Account } from "./account.ts";
import type { cpOptions } from "./commands.ts";
import { Ground } from "./ground.ts";
import {
  CONNECT_MS_DEFAULT,
  PATH_BYTES_MAX,
  PATH_CHARACTERS_SHOWN,
  STALLED_MS_MAX,
  STALLED_MS_MIN,
} from "./limits.ts";
import { nameOf, type Remote, remoteOf } from "./location.ts";
import { Problems } from "./problems.ts";
import { Progress } from "./progress.ts";
import { pullFiles } from "./pull.ts";
import { pushInSessions, type PushOptions, pushToAll } from "./push.ts";
import { type Root, walk } from "./walk.ts";
import { plural } from "../shared/plural.ts";

type Options = OptionsOf<typeof cpOptions>;

/** What the command line asks for. */
type Wish =
  | { readonly kind: "push"; readonly sources: readonly string[]; readonly to: Remote }
  | { readonly kind: "pull"; readonly from: readonly Remote[]; readonly to: string };

/** Exit code: see the help. */
export async function runCp(
  context: CommandContext,
  options: Options,
  args: readonly string[],
): Promise<number> {
  const wish = wishOf(args);
  for (const { path } of wish.kind === "push" ? [wish.to] : wish.from) checkLength(path);
  checkTimeout(options.timeout);
  const { out, env } = context;
  const primitives = await chooseSigning();
  using _ = primitives;
  const start = env.clock.monotonic();
  const problems = new Problems();
  const account = wish.kind === "push"
    ? await push(context, { options, wish, primitives, problems })
    : await pull(context, { options, wish, primitives });
  for (const text of problems.shown) out.writeError(printable(`minime: ${text}`) + "\n");
  const hidden = problems.count - problems.shown.length;
  if (hidden > 0) out.writeError(`minime: and ${hidden} more\n`);
  for (const text of problems.notes) out.writeError(printable(`minime: ${text}`) + "\n");
  for (const line of account.lines({ now: env.clock.now() })) out.writeError(`minime: ${line}\n`);
  if (options.json) out.json(account.json());
  else if (context.stderrIsTerminal) out.note(summaryText(account, env.clock.monotonic() - start));
  return account.exitCode === EXIT.ok && problems.count > 0 ? EXIT.someFailed : account.exitCode;
}

async function push(
  context: CommandContext,
  { options, wish, primitives, problems }: {
    readonly options: Options;
    readonly wish: Extract<Wish, { kind: "push" }>;
    readonly primitives: SigningPrimitives;
    readonly problems: Problems;
  },
): Promise<Account> {
  const { env, out, signal } = context;
  const roots = rootsOf(context, wish.sources);
  const connectMs = options.connectTimeout ?? CONNECT_MS_DEFAULT;
  await using client = await connect(context, options);
  const about = { options, remote: wish.to, atOnce: options.private ? 0 : Infinity };
  const { names: nodes, missing, expected = [] } = await nodesOf(context, client, about);
  if (nodes.length === 0) return new Account(missing);
  const newGround = () => new Ground(env.disk, { stands: false });
  const totalBytes = context.stderrIsTerminal ? sizeOf(newGround(), roots) : undefined;
  const progress = new Progress({
    clock: env.clock,
    out,
    // Of every session its own.
    totalBytes: totalBytes === undefined || !options.private
      ? totalBytes
      : totalBytes * nodes.length,
  });
  const startSha256 = () => primitives.startSha256();
  const [first] = roots;
  const pushed: PushOptions = {
    nodes,
    expected,
    as: options.user ?? "$user",
    connectMs,
    order: {
      path: wish.to.path,
      single: roots.length === 1 && first?.name !== "",
      stalledMs: options.timeout,
    },
    source: () => ({
      ground: newGround(),
      roots,
      problems,
      startSha256,
      ...(options.checksum ? { startSum: startSha256 } : {}),
      onBytes: progress.add,
    }),
  };
  try {
    const account = options.private
      ? await pushInSessions(context, pushed)
      : await pushToAll({ env, signal }, client, pushed);
    account.miss(missing);
    return account;
  } finally {
    progress.clear();
  }
}

async function pull(
  context: CommandContext,
  { options, wish, primitives }: {
    readonly options: Options;
    readonly wish: Extract<Wish, { kind: "pull" }>;
    readonly primitives: SigningPrimitives;
  },
): Promise<Account> {
  const { env, out } = context;
  const folder = localFolder(context, wish.to);
  await using client = await connect(context, options);
  const paths = new Map<string, string[]>();
  const missing: NodeFailure[] = [];
  for (const remote of wish.from) {
    const targets = await nodesOf(context, client, { options, remote, atOnce: 0 });
    missing.push(...targets.missing);
    for (const node of targets.names) {
      const own = paths.get(node) ?? [];
      paths.set(node, [...own, remote.path]);
    }
  }
  for (const own of paths.values()) refuseTwice(own.map(nameOf));
  const progress = new Progress({ clock: env.clock, out, totalBytes: undefined });
  try {
    const account = await pullFiles(context, {
      paths,
      folder,
      as: options.user ?? "$user",
      connectMs: options.connectTimeout ?? CONNECT_MS_DEFAULT,
      checksum: options.checksum,
      stalledMs: options.timeout,
      startSha256: () => primitives.startSha256(),
      onBytes: progress.add,
    });
    account.miss(missing);
    return account;
  } finally {
    progress.clear();
  }
}

function wishOf(args: readonly string[]): Wish {
  const to = args.at(-1) ?? "";
  if (args.length === 1) throw noDestination(to);
  const sources = args.slice(0, -1);
  const from = sources.flatMap((text) => remoteOf(text) ?? []);
  const remote = remoteOf(to);
  if (remote !== undefined && from.length > 0) {
    throw new UsageError("Files go from here to nodes, or from nodes to here", {
      hint: "From node to node: copy them here first",
    });
  }
  if (remote !== undefined) return { kind: "push", sources, to: remote };
  if (from.length === 0) {
    throw new UsageError("None of the paths is on a node", {
      hint: "On nodes a path is NODESET:PATH, or :PATH with -w, -g or -a",
    });
  }
  if (from.length === sources.length) return { kind: "pull", from, to };
  throw new UsageError("Some of what is to be copied is here and some on nodes");
}

/** Throws UsageError for what no kernel would take. */
function checkLength(path: string): void {
  const { length } = new TextEncoder().encode(path);
  if (length < PATH_BYTES_MAX) return;
  const shown = `${path.slice(0, PATH_CHARACTERS_SHOWN)}…`;
  throw new UsageError(
    `Path "${shown}" has ${length} bytes, and ${PATH_BYTES_MAX - 1} is the most`,
  );
}

/** Throws UsageError for what no node would take. */
function checkTimeout(ms: number | undefined): void {
  if (ms === undefined || (ms >= STALLED_MS_MIN && ms <= STALLED_MS_MAX)) return;
  const [from, to] = [formatDuration(STALLED_MS_MIN), formatDuration(STALLED_MS_MAX)];
  throw new UsageError(`--timeout ${formatDuration(ms)} is not from ${from} to ${to}`);
}

function noDestination(source: string): UsageError {
  const text = `Where to copy "${source}" is not said`;
  return remoteOf(source) === undefined
    ? new UsageError(text, { hint: `To nodes: minime cp ${source} NODESET:PATH` })
    : new UsageError(text, { hint: `To a folder here: minime cp ${source} FOLDER` });
}

/** Throws when one of them is not there: nothing is copied then. */
function rootsOf({ env }: CommandContext, sources: readonly string[]): Root[] {
  const roots = sources.map((path) => ({ path, name: nameOf(path) }));
  for (const { path } of roots) {
    if (env.disk.followed(path) === undefined) throw new NotFoundError(`There is no "${path}"`);
  }
  refuseTwice(roots.map(({ name }) => name));
  return roots;
}

function refuseTwice(names: readonly string[]): void {
  const twice = names.find((name, index) => name !== "" && names.indexOf(name) !== index);
  if (twice !== undefined) throw new UsageError(`Two of what is to be copied are named "${twice}"`);
}

/** Made when only it is missing. */
function localFolder({ env }: CommandContext, path: string): string {
  const there = env.disk.followed(path);
  if (there === undefined) env.disk.makeFolder(path, 0o777);
  else if (there.kind !== "folder") {
    throw new FileError(
      "wrong-kind",
      `"${path}" is no folder, and what comes from nodes needs one`,
    );
  }
  return env.disk.realPath(path);
}

async function connect(context: CommandContext, options: Options): Promise<MeshClient> {
  const { connectTimeout: timeoutMs } = options;
  return await context.connect(timeoutMs === undefined ? {} : { timeoutMs });
}

/** Those before the colon, or those of the options. */
async function nodesOf(
  context: CommandContext,
  client: MeshClient,
  { options, remote: { nodes }, atOnce }: {
    readonly options: Options;
    readonly remote: Remote;
    /** As for groupTargetsOf. */
    readonly atOnce: number;
  },
): Promise<Targets> {
  const isChosen = options.nodes.length > 0 || options.group.length > 0 || options.all;
  if (nodes === "" && !isChosen) {
    throw new UsageError("Say on which nodes: NODESET:PATH, or :PATH with -w, -g or -a");
  }
  if (nodes !== "" && isChosen) {
    throw new UsageError(`Nodes are named twice: "${nodes}:" and by options`);
  }
  const selection = await readSelection(
    context,
    nodes === "" ? options : { ...options, nodes: [nodes] },
  );
  return await groupTargetsOf(context, client, selection, { atOnce });
}

/** For the line of progress; what cannot be read is told when it is copied. */
function sizeOf(ground: Ground, roots: readonly Root[]): number {
  let bytes = 0;
  for (const { files } of walk({ ground, roots, problems: new Problems() })) {
    for (const { size } of files) bytes += size;
  }
  return bytes;
}

function summaryText({ summaries, failures }: Account, ms: number): string {
  const all = [...summaries.values()];
  const sum = (of: (summary: typeof all[number]) => number) =>
    all.reduce((total, summary) => total + of(summary), 0);
  const bytes = sum((summary) => summary.bytes);
  const rate = formatSize(Math.round(bytes * 1_000 / Math.max(1, ms)));
  const same = sum((summary) => summary.same);
  return [
    plural(sum((summary) => summary.files), "file"),
    ...(same > 0 ? [`${same} the same already`] : []),
    `${formatSize(bytes)} on ${summaries.size} of ${
      plural(summaries.size + failures.size, "node")
    }`,
    `${formatDuration(ms)}, ${rate}/s`,
  ].join(", ");
}
