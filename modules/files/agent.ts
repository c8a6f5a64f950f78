/**
 * The process that copies for a daemon: this very program again, which becomes the user on whose behalf
 * it works. So the kernel decides what that user may read and write, a disk that hangs does not hold up
 * the daemon, and the files of a copy are in nobody's memory but its own.
 *
 *   to it     an order, then pieces; an empty one is the end
 *   from it   0 and a piece; 3 and a u32: with how many of what it got (order, pieces, end) it has done
 *             last 1 and the reply, or 2 and [class, message]
 */

import {
  ByteReader,
  CALL_ERROR_CLASSES,
  CallError,
  type CallErrorClass,
  type Child,
  decodeValue,
  encodeCanonical,
  type Environment,
  errorText,
  MinimeError,
  ProtocolError,
} from "../../core/mod.ts";
import { LentChunks } from "../shared/lent_chunks.ts";
import { LENT_BYTES_MAX } from "../shared/limits.ts";
import { Framer, readFrames } from "./frames.ts";
import { AGENT_COMPLAINT_BYTES_MAX, AGENT_END_MS, AGENT_GONE_MS } from "./limits.ts";
import type { AgentOrder } from "./order.ts";
import { Stall } from "./stall.ts";

/** The hidden command that it runs. */
export const AGENT_COMMAND = "__files";
/** The first byte of what comes from it. */
export const FROM_AGENT = { piece: 0, reply: 1, error: 2, taken: 3 } as const;

export interface AgentOptions {
  readonly env: Pick<Environment, "clock" | "processes" | "files">;
  readonly order: AgentOrder;
  readonly input: AsyncIterable<Uint8Array>;
  /** How long it may do nothing. */
  readonly stalledMs: number;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** It has done nothing for so long, and is ended. */
  readonly onStalled: () => void;
}

/** Yields pieces, returns the reply. Throws CallError with what went wrong, here, there or in the input. */
export async function* runAgent(
  { env, order, input, stalledMs, signal, onStalled: told }: AgentOptions,
): AsyncGenerator<Uint8Array, unknown, void> {
  const [program = "", ...first] = env.processes.self;
  const child = await env.processes.spawn(program, {
    args: [...first, AGENT_COMMAND],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    // It must not be able to hold on to a folder that somebody wants to unmount.
    folder: "/",
  });
  const output = new LentChunks(child.stdout as ReadableStream<Uint8Array>, {
    bytesMax: LENT_BYTES_MAX,
  });
  const errors = (child.stderr as ReadableStream<Uint8Array>).getReader();
  const complaint = readComplaint(errors);
  const ending = new Ending(env, child);
  const stop = () => ending.begin();
  signal.addEventListener("abort", stop);
  let broken: { readonly error: unknown } | undefined;
  const fail = (error: unknown) => {
    broken ??= { error };
    ending.begin();
  };
  using stall = new Stall({
    clock: env.clock,
    stalledMs,
    computed: () => computedBy(env, child.pid),
    onStalled(error) {
      told();
      fail(error);
      // It may not end even when it is killed.
      void output.cancel();
    },
  });
  const writer = (child.stdin as WritableStream<Uint8Array>).getWriter();
  const close = () =>
    writer.close().catch(() => {
      // It has ended before, or is closed.
    });
  // Not waited for: its input may never come to an end.
  void feed(writer, { order, input, stall }).then(close, fail);
  try {
    if (signal.aborted) stop();
    for await (const frame of readFrames(output)) {
      const body = frame.subarray(1);
      if (frame[0] === FROM_AGENT.taken) stall.taken(takenOf(body));
      else if (frame[0] === FROM_AGENT.piece) {
        stall.hold(true);
        yield body;
        stall.hold(false);
      } else if (frame[0] === FROM_AGENT.reply) return decodeValue(body);
      else if (broken !== undefined) throw broken.error;
      else throw readError(body);
    }
    if (broken !== undefined) throw broken.error;
    signal.throwIfAborted();
    const text = (await complaint).trim() || "it ended without a word";
    throw new CallError("failed", `The process that copies has failed: ${text}`);
  } catch (error) {
    // A frame that broke off with it says nothing of why.
    throw broken !== undefined && error instanceof ProtocolError ? broken.error : error;
  } finally {
    signal.removeEventListener("abort", stop);
    void output.cancel();
    if (await ending.finish()) {
      await complaint;
      await close();
    } else {
      void errors.cancel();
      void writer.abort().catch(() => {
        // What it was given last is with it.
      });
    }
  }
}

/** Rejects with what `input` throws; an agent that reads no more has its reasons, and says them. */
async function feed(
  writer: WritableStreamDefaultWriter<Uint8Array>,
  { order, input, stall }: Pick<AgentOptions, "order" | "input"> & { readonly stall: Stall },
): Promise<void> {
  let open = true;
  const write = (bytes: Uint8Array) => {
    stall.gave();
    return writer.write(bytes).catch(() => {
      open = false;
    });
  };
  const framer = new Framer();
  await write(framer.frame(encodeCanonical(order)));
  for await (const piece of input) {
    if (!open) return;
    await write(framer.frame(piece));
  }
  await write(framer.frame());
}

function takenOf(body: Uint8Array): number {
  const reader = new ByteReader(body, "What was taken");
  const count = reader.u32("count");
  reader.end();
  return count;
}

async function* chunksOf(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

/** Time on a processor, as the kernel counts it. */
async function computedBy(
  { files }: Pick<Environment, "files">,
  pid: number,
): Promise<string | undefined> {
  try {
    const stat = await files.readText(`/proc/${pid}/stat`);
    // Behind the name, which may hold anything, utime and stime are the 12th and 13th.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13).join(" ");
  } catch (error) {
    // It has ended just now.
    if (error instanceof MinimeError) return undefined;
    throw error;
  }
}

/** Ends it: its input breaks off, and if that is not enough it is killed. */
class Ending {
  readonly #env: AgentOptions["env"];
  readonly #child: Child;
  #timer: { cancel(): void } | undefined;

  constructor(env: AgentOptions["env"], child: Child) {
    this.#env = env;
    this.#child = child;
  }

  /** False when it does not even end when it is killed: it is left to the kernel then. */
  async finish(): Promise<boolean> {
    this.begin();
    const given = new AbortController();
    const { signal } = given;
    const ended = await Promise.race([
      this.#child.status.then(() => true),
      this.#env.clock.sleep(AGENT_END_MS + AGENT_GONE_MS, { signal }).then(() => false, () => true),
    ]);
    given.abort();
    this.#timer?.cancel();
    if (!ended) this.#child.release();
    return ended;
  }

  begin(): void {
    if (this.#timer !== undefined) return;
    this.#child.kill("SIGTERM");
    this.#timer = this.#env.clock.after(AGENT_END_MS, () => this.#child.kill("SIGKILL"));
  }
}

function readError(body: Uint8Array): CallError {
  const value = decodeValue(body);
  if (!Array.isArray(value)) throw new ProtocolError("An error of a process that copies is none");
  const [kind, message]: unknown[] = value;
  const isClass = (CALL_ERROR_CLASSES as readonly unknown[]).includes(kind);
  return new CallError(isClass ? kind as CallErrorClass : "failed", errorText(message));
}

async function readComplaint(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of chunksOf(reader)) {
    if (text.length < AGENT_COMPLAINT_BYTES_MAX) text += decoder.decode(chunk, { stream: true });
  }
  return text.slice(0, AGENT_COMPLAINT_BYTES_MAX);
}
