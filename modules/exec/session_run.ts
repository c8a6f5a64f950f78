/**
 * One program on one node, in a session that ends in that node: nobody between can read its output or
 * add to its input.
 */

import * as v from "valibot";
import { CallError, PRIORITY, toHex } from "../../core/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import { DaemonWatch, type DaemonWatchOptions } from "../shared/daemon_watch.ts";
import { chunkOf, NOT_STARTED } from "./execution.ts";
import { SIGNAL_AGAIN_MS, SIGNAL_MS_MAX } from "./limits.ts";
import {
  gotSignal,
  type RunEnd,
  RunEndSchema,
  type RunOrderInput,
  type SignalName,
} from "./order.ts";
import type { Chunk } from "./program.ts";

/** Sends a signal to the program; it overtakes what the program has not read. */
export type SendSignal = (signal: SignalName) => Promise<void>;

export interface SessionRunOptions {
  readonly node: string;
  readonly order: Omit<RunOrderInput, "run" | "stdin">;
  readonly as: string;
  readonly connectMs: number;
  /** Bytes; for a terminal also the sizes of its window. @default the program reads nothing */
  readonly input?: AsyncIterable<unknown>;
  readonly signal: AbortSignal;
  /** When its daemon says nothing any more. @default it is waited for without end */
  readonly silence?: Pick<DaemonWatchOptions, "silentMs" | "onQuiet">;
  /** Asked last before the program is ordered. @default it may */
  readonly mayStart?: () => boolean;
  /** The node is reached, and the program ordered. */
  readonly onStart?: (send: SendSignal) => void;
  readonly onOutput: (chunk: Chunk) => Promise<void> | void;
}

/** Resolves when the program has ended. Rejects when it was not started, or the session broke. */
export async function runInSession(
  context: Pick<CommandContext, "env" | "session">,
  options: SessionRunOptions,
): Promise<RunEnd> {
  const { node, as, connectMs, input, mayStart = () => true, onOutput } = options;
  const { clock } = context.env;
  await using client = await context.session(node, { timeoutMs: connectMs });
  const order: RunOrderInput = {
    ...options.order,
    run: toHex(context.env.random.bytes(16)),
    ...(input === undefined ? {} : { stdin: "bound" }),
  };
  const signed = await client.sign("exec.run", order, { targets: [node], as, ttlMs: connectMs });
  if (!mayStart()) throw new CallError("cancelled", NOT_STARTED);
  using silence = options.silence === undefined
    ? undefined
    : new DaemonWatch({ clock, caller: client, node, signal: options.signal, ...options.silence });
  const { signal } = silence ?? options;
  const call = client.stream("exec.run", signed, { signed: true, deadlineMs: 0, signal });
  const startBy = clock.monotonic() + connectMs;
  let isOver = false;
  options.onStart?.(async (name) => {
    const args = { run: order.run, signal: name, argv: order.argv };
    for (;;) {
      try {
        const request = await client.sign("exec.signal", args, { targets: [node], as });
        const reply = await client.request("exec.signal", request, {
          signed: true,
          deadlineMs: SIGNAL_MS_MAX,
          priority: PRIORITY.control,
        });
        if (gotSignal(reply)) return;
      } catch (error) {
        // There is nobody to get it any more.
        if (isOver) return;
        throw error;
      }
      if (isOver || clock.monotonic() >= startBy) return;
      // It may have overtaken the order.
      await clock.sleep(SIGNAL_AGAIN_MS);
      if (isOver) return;
    }
  });
  const feeding = input === undefined ? undefined : feed(call, silence?.heardBy(input) ?? input);
  try {
    for await (const item of call) {
      silence?.heard();
      await onOutput(chunkOf(item));
    }
    const parsed = v.safeParse(RunEndSchema, await call.reply, { abortEarly: true });
    if (parsed.success) return parsed.output;
    throw new CallError("failed", `Answer of "${node}" is malformed`);
  } catch (error) {
    call.cancel();
    throw error;
  } finally {
    isOver = true;
    // Who has nothing more to say may never say so: the program has ended.
    feeding?.catch(() => {});
  }
}

async function feed(
  call: { send(item: unknown): Promise<void>; end(): Promise<void>; cancel(reason: string): void },
  input: AsyncIterable<unknown>,
): Promise<void> {
  try {
    for await (const item of input) await call.send(item);
    await call.end();
  } catch (error) {
    // A program that has ended takes nothing more; anything else must not leave it without its input.
    if (!(error instanceof CallError)) call.cancel("Input broke off");
    throw error;
  }
}
