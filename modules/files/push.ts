/** Files to nodes: to all through the tree of one group operation, or to each in a session of its own. */

import * as v from "valibot";
import { CallError, decodeValue, toHex } from "../../core/mod.ts";
import type { CommandContext, MeshClient } from "../shared/command.ts";
import { callGroup } from "../shared/group_client.ts";
import { GROUP_MS_MAX } from "../shared/limits.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { DaemonWatch } from "../shared/daemon_watch.ts";
import { signPieces } from "../shared/signed_input.ts";
import { tryEach } from "../shared/try_each.ts";
import { Account } from "./account.ts";
import { SESSIONS_MAX, STALLED_MS_DEFAULT } from "./limits.ts";
import { Needs } from "./needs.ts";
import type { WriteOrder } from "./order.ts";
import { readNeed } from "./records.ts";
import { sendFiles, type SendOptions } from "./sender.ts";
import { SummarySchema } from "./summary.ts";

export interface PushOptions {
  readonly nodes: readonly string[];
  /** As for `group.call`. @default nobody */
  readonly expected?: readonly string[];
  readonly as: string;
  readonly connectMs: number;
  readonly order: Pick<WriteOrder, "path" | "single" | "stalledMs">;
  /** Made anew for each stream. */
  readonly source: () => Omit<SendOptions, "needs">;
}

/** Resolves when all nodes are accounted for. Rejects when the order as a whole was not taken. */
export async function pushToAll(
  { env, signal }: Pick<CommandContext, "env" | "signal">,
  client: MeshClient,
  { nodes, expected = [], as, connectMs, source, ...options }: PushOptions,
): Promise<Account> {
  const run = toHex(env.random.bytes(16));
  const order: WriteOrder = { ...options.order, run, input: "hashed" };
  const signed = await client.sign("files.write", order, { targets: nodes, as, ttlMs: connectMs });
  const needs = new Needs(nodes);
  const pieces = sendFiles({ ...source(), needs: (batch) => needs.of(batch) });
  const account = new Account();
  using silence = new DaemonWatch({
    clock: env.clock,
    caller: client,
    node: client.via.name,
    silentMs: order.stalledMs ?? STALLED_MS_DEFAULT,
    signal,
  });
  try {
    account.add(
      await callGroup(client, {
        targets: foldNodeset(nodes),
        expected: foldNodeset(expected),
        signed,
        startBy: env.clock.now() + connectMs,
        deadlineMs: GROUP_MS_MAX,
        signal: silence.signal,
        input: silence.heardBy(signPieces(pieces, { run, sign: client.signBytes.bind(client) })),
        onItems(items) {
          for (const [name, value, lost] of items) needs.take(name, value, lost > 0);
        },
        onPart(soFar) {
          silence.heard();
          account.add(soFar);
          needs.settle([...soFar.answered, ...soFar.failures.keys()]);
        },
      }),
    );
  } catch (error) {
    signal.throwIfAborted();
    account.lose(nodes, { via: client.via.name, error });
  } finally {
    // Whoever waits for a need waits no more.
    needs.settle(nodes);
  }
  return account;
}

/** The same to each node by itself: nobody between can read any of it. */
export async function pushInSessions(
  context: Pick<CommandContext, "env" | "signal" | "session">,
  options: PushOptions,
): Promise<Account> {
  const account = new Account();
  const { signal } = context;
  const { failures } = account;
  await tryEach(options.nodes, { window: SESSIONS_MAX, signal, failures }, async (node) => {
    account.summaries.set(node, await pushInSession(context, node, options));
  });
  return account;
}

async function pushInSession(
  { env, signal, session }: Pick<CommandContext, "env" | "signal" | "session">,
  node: string,
  { as, connectMs, source, ...options }: PushOptions,
): Promise<v.InferOutput<typeof SummarySchema>> {
  await using client = await session(node, { timeoutMs: connectMs });
  const run = toHex(env.random.bytes(16));
  const order: WriteOrder = { ...options.order, run, input: "bound" };
  const signed = await client.sign("files.write", order, { targets: [node], as, ttlMs: connectMs });
  using silence = new DaemonWatch({
    clock: env.clock,
    caller: client,
    node,
    silentMs: order.stalledMs ?? STALLED_MS_DEFAULT,
    signal,
  });
  const call = client.stream("files.write", signed, {
    signed: true,
    deadlineMs: 0,
    signal: silence.signal,
  });
  const items = call[Symbol.asyncIterator]();
  const pieces = sendFiles({
    ...source(),
    async needs() {
      const { done, value } = await items.next();
      return done ? [] : [readNeed(decodeValue(bytesOf(value)))];
    },
  });
  try {
    for await (const piece of silence.heardBy(pieces)) {
      // It has ended, and says why.
      if (!await call.send(piece).then(() => true, () => false)) break;
    }
    await call.end();
    return v.parse(SummarySchema, await call.reply);
  } catch (error) {
    call.cancel();
    throw error;
  }
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new CallError("failed", "What the node needs is malformed");
}
