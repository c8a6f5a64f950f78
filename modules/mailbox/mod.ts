/**
 * The module "mailbox": messages from anybody whom the policy lets, kept at a node by tag until
 * somebody takes them. At most once, in order for each sender and tag, in memory and bounded; the
 * sender is told when its message is in the mailbox, or that it is full.
 *
 * `put` and `take` are guarded. The owner of the daemon's socket needs no signature to take what is in
 * the mailboxes of this very node (`receive`), and sends by `send` on the authority of the node's key,
 * which opens nothing unless the policy names the node.
 */

import * as v from "valibot";
import { CallError, type Context, type Module, type ModuleHost, verb } from "../../core/mod.ts";
import { Assembly } from "./assembly.ts";
import {
  type Head,
  type Letter,
  PutReplySchema,
  PutSchema,
  senderOf,
  SendSchema,
  type Take,
  TakeReplySchema,
  TakeSchema,
} from "./letter.ts";
import { CHUNK_BYTES_MAX } from "./limits.ts";
import { Mailboxes } from "./mailboxes.ts";
import { Outbox } from "./outbox.ts";

interface Parts {
  readonly host: ModuleHost;
  readonly mailboxes: Mailboxes;
  readonly assembly: Assembly;
  readonly outbox: Outbox;
}

/** One for each daemon. */
export function createMailbox(): Module {
  let running: Parts | undefined;

  function parts(): Parts {
    if (running === undefined) throw new CallError("unreachable", "Mailbox module is not running");
    return running;
  }

  const receiving = { args: TakeSchema, reply: TakeReplySchema };

  return {
    name: "mailbox",
    verbs: {
      put: verb({
        action: "guarded",
        forNodes: true,
        args: PutSchema,
        reply: PutReplySchema,
        handle: (args, context) =>
          untilStop(parts(), context, (signal) => {
            const { principal } = context;
            if (principal.kind !== "signed") {
              throw new CallError("refused", "Nobody has signed this");
            }
            const from = senderOf(principal.identity);
            return parts().assembly.put(args, from, { ms: args.waitMs, signal });
          }),
      }),
      take: verb({
        ...receiving,
        action: "guarded",
        handle: (args, context) => receive(parts(), args, context),
      }),
      receive: verb({
        ...receiving,
        action: "local",
        handle: (args, context) => receive(parts(), args, context),
      }),
      send: verb({
        action: "local",
        args: SendSchema,
        reply: PutReplySchema,
        handle: (args, context) =>
          untilStop(parts(), context, async (signal) => {
            const { outbox } = parts();
            const { node, tag, waitMs } = args;
            const body = args.data ?? await outbox.gather(context.input);
            return await outbox.send(body, { node, tag, waitMs, signal });
          }),
      }),
    },
    start(host) {
      const mailboxes = new Mailboxes(host.env.clock);
      const assembly = new Assembly(host.env.clock, mailboxes);
      running = { host, mailboxes, assembly, outbox: new Outbox(host) };
      return Promise.resolve();
    },
    stop() {
      if (running === undefined) return Promise.resolve();
      const { assembly, mailboxes, host } = running;
      assembly[Symbol.dispose]();
      if (mailboxes.unread > 0) {
        host.log("warning", `Messages that nobody has read are lost: ${mailboxes.unread}`);
      }
      return Promise.resolve();
    },
  };
}

/**
 * For each item that the reader sends, head and bytes of one letter: only what the reader has asked for
 * can be lost with it. Where nothing can be streamed to the reader, nothing can be asked for either.
 */
async function* receive(
  running: Parts,
  { tag, from, waitMs = Infinity }: Take,
  context: Context,
): AsyncGenerator<unknown, v.InferOutput<typeof TakeReplySchema>, void> {
  const { mailboxes } = running;
  let received = 0;
  for await (const _asked of context.input) {
    const letter = await untilStop(
      running,
      context,
      (signal) => mailboxes.take(tag, from, { ms: waitMs, signal }),
    );
    if (letter === undefined) break;
    if (context.signal.aborted) {
      mailboxes.putBack(tag, letter);
      break;
    }
    yield headOf(letter);
    yield* chunksOf(letter);
    received++;
  }
  return { received };
}

function headOf({ from, bytes, at }: Letter): Head {
  return { from, bytes, at };
}

function* chunksOf({ chunks }: Letter): Generator<Uint8Array> {
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += CHUNK_BYTES_MAX) {
      yield chunk.subarray(at, at + CHUNK_BYTES_MAX);
    }
  }
}

/** Runs with a signal that aborts when the caller is gone or the daemon begins to stop. */
async function untilStop<T>(
  { host }: Parts,
  context: Context,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const sources = [context.signal, host.stopping];
  const onAbort = () => {
    controller.abort(
      context.signal.aborted
        ? context.signal.reason
        : new CallError("unreachable", "Daemon is shutting down"),
    );
  };
  for (const source of sources) source.addEventListener("abort", onAbort);
  if (sources.some(({ aborted }) => aborted)) onAbort();
  try {
    return await run(controller.signal);
  } finally {
    for (const source of sources) source.removeEventListener("abort", onAbort);
  }
}
