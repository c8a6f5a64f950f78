/** Files from nodes: in a session with each, into a folder of its name. */

import * as v from "valibot";
import { CallError, FileError } from "../../core/mod.ts";
import type { Sha256 } from "../../core/mod.ts";
import type { CommandContext, MeshClient } from "../shared/command.ts";
import { DaemonWatch } from "../shared/daemon_watch.ts";
import { tryEach } from "../shared/try_each.ts";
import { Account } from "./account.ts";
import { Ground } from "./ground.ts";
import { SESSIONS_MAX, STALLED_MS_DEFAULT } from "./limits.ts";
import { nameOf } from "./location.ts";
import { joined } from "./names.ts";
import type { ReadOrder } from "./order.ts";
import { Problems } from "./problems.ts";
import { receiveFiles } from "./receiver.ts";
import { encodeNeed } from "./records.ts";
import { type Summary, SummarySchema } from "./summary.ts";

export interface PullOptions {
  /** What to read of each node. */
  readonly paths: ReadonlyMap<string, readonly string[]>;
  /** A local folder, absolute and without links. */
  readonly folder: string;
  readonly as: string;
  readonly connectMs: number;
  readonly checksum: boolean;
  /** @default what the node finds right */
  readonly stalledMs?: number | undefined;
  readonly startSha256: () => Sha256;
  readonly onBytes: (bytes: number) => void;
}

type Needs = Pick<CommandContext, "env" | "signal" | "session">;

/** Resolves when all nodes are accounted for. */
export async function pullFiles(context: Needs, options: PullOptions): Promise<Account> {
  const account = new Account();
  context.env.disk.exactModes();
  const { signal } = context;
  const { failures } = account;
  const nodes = [...options.paths.keys()];
  await tryEach(nodes, { window: SESSIONS_MAX, signal, failures }, async (node) => {
    const paths = options.paths.get(node) ?? [];
    account.summaries.set(node, await pullFrom(context, { node, paths, options }));
  });
  return account;
}

async function pullFrom(
  context: Needs,
  { node, paths, options }: {
    readonly node: string;
    readonly paths: readonly string[];
    readonly options: PullOptions;
  },
): Promise<Summary> {
  await using client = await context.session(node, { timeoutMs: options.connectMs });
  const folder = ownFolder(context, joined(options.folder, node));
  const shown: string[] = [];
  const notes: string[] = [];
  const total = { files: 0, bytes: 0, same: 0, problems: 0 };
  for (const path of paths) {
    const summary = await pullOne(context, client, { node, path, folder, options });
    total.files += summary.files;
    total.bytes += summary.bytes;
    total.same += summary.same;
    total.problems += summary.problems;
    shown.push(...summary.shown);
    notes.push(...summary.notes ?? []);
  }
  return { ...total, shown, ...(notes.length > 0 ? { notes } : {}) };
}

async function pullOne(
  { env, signal }: Pick<CommandContext, "env" | "signal">,
  client: MeshClient,
  { node, path, folder, options }: {
    readonly node: string;
    readonly path: string;
    readonly folder: string;
    readonly options: PullOptions;
  },
): Promise<Summary> {
  const { as, connectMs, checksum, stalledMs, startSha256, onBytes } = options;
  const order: ReadOrder = { path, name: nameOf(path), checksum, stalledMs };
  const signed = await client.sign("files.read", order, { targets: [node], as, ttlMs: connectMs });
  using silence = new DaemonWatch({
    clock: env.clock,
    caller: client,
    node,
    silentMs: stalledMs ?? STALLED_MS_DEFAULT,
    signal,
  });
  const call = client.stream("files.read", signed, {
    signed: true,
    deadlineMs: 0,
    signal: silence.signal,
  });
  const missed = new Problems();
  const needs = receiveFiles(piecesOf(call, silence.heard), {
    ground: new Ground(env.disk, { stands: false }),
    destination: { base: folder },
    key: `from ${node}`,
    uid: env.processes.uid,
    now: () => env.clock.now(),
    startSha256,
    missed,
    onBytes,
  });
  try {
    for (;;) {
      const { done, value } = await needs.next();
      if (!done) {
        await call.send(encodeNeed(value));
        continue;
      }
      await call.end();
      const there = v.parse(SummarySchema, await call.reply);
      // One who says nothing of what is missing is not believed that nothing is.
      const { count, shown } = missed.count > there.problems ? missed : new Problems();
      return {
        ...value,
        problems: value.problems + there.problems + count,
        shown: [...value.shown, ...shown, ...there.shown],
        notes: there.notes,
      };
    }
  } catch (error) {
    call.cancel();
    // Why the stream broke off is in the reply.
    if (error instanceof CallError && error.class === "cancelled") await call.reply;
    throw error;
  }
}

async function* piecesOf(
  call: AsyncIterable<unknown>,
  onPiece: () => void,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const item of call) {
    onPiece();
    if (!(item instanceof Uint8Array)) throw new CallError("failed", "The node sends no files");
    yield item;
  }
}

/** Made when it is missing; never a link to somewhere else. */
function ownFolder({ env }: Pick<CommandContext, "env">, path: string): string {
  const facts = env.disk.facts(path);
  if (facts === undefined) env.disk.makeFolder(path, 0o755);
  else if (facts.kind !== "folder") throw new FileError("wrong-kind", `"${path}" is no folder`);
  return path;
}
