/**
 * A child process that we talk with in lines over its stdin and stdout. What it says on stderr is
 * kept, bounded, for whoever has to explain why it ended. One reader and one writer at a time.
 */

import type { Child, Environment } from "../../core/mod.ts";
import { errorText, ProtocolError } from "../../core/mod.ts";
import { readLines } from "../shared/lines.ts";
import { ANSWER_BYTES_MAX, PIPES_MS_MAX, STDERR_BYTES_MAX } from "./limits.ts";

export interface LineProcessEnd {
  readonly code: number;
  readonly signal: string | undefined;
  /** The end of it, when there was much. */
  readonly stderr: string;
}

export class LineProcess implements AsyncDisposable {
  /** How it ended. */
  readonly ended: Promise<LineProcessEnd>;
  readonly #child: Child;
  readonly #lines: AsyncGenerator<string, void, void>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #stdout: CancellableChunks;

  private constructor(child: Child, clock: Environment["clock"]) {
    this.#child = child;
    this.#stdout = new CancellableChunks(child.stdout as ReadableStream<Uint8Array>);
    this.#lines = readLines(this.#stdout, { bytesMax: ANSWER_BYTES_MAX });
    this.#writer = (child.stdin as WritableStream<Uint8Array>).getWriter();
    this.#writer.closed.catch(() => {
      // Whoever writes next is told; how the process ended tells why.
    });
    const stderr = new CancellableChunks(child.stderr as ReadableStream<Uint8Array>);
    const words = tailOf(stderr);
    this.ended = child.status.then(async ({ code, signal }) => {
      // Its own children may hold the pipes open for ever.
      const timer = clock.after(PIPES_MS_MAX, () => {
        stderr.cancel();
        this.#stdout.cancel();
      });
      const text = await words;
      timer.cancel();
      return { code, signal, stderr: text };
    });
  }

  /** Rejects with NotFoundError when there is no such program. */
  static async start(
    env: {
      readonly clock: Environment["clock"];
      readonly processes: Pick<Environment["processes"], "spawn">;
    },
    options: {
      readonly program: string;
      readonly args: readonly string[];
      readonly environment?: Readonly<Record<string, string>>;
    },
  ): Promise<LineProcess> {
    const child = await env.processes.spawn(options.program, {
      args: options.args,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      ...(options.environment === undefined ? {} : { environment: options.environment }),
    });
    return new LineProcess(child, env.clock);
  }

  /** The next line without its line feed; undefined at the end. */
  async next(): Promise<string | undefined> {
    const { value, done } = await this.#lines.next();
    return done === true ? undefined : value;
  }

  /** False when it does not read any more; {@link ended} tells why. */
  async write(data: string | Uint8Array): Promise<boolean> {
    try {
      await this.#writer.write(typeof data === "string" ? new TextEncoder().encode(data) : data);
      return true;
    } catch (error) {
      if (error instanceof ProtocolError) throw error;
      return isBroken(error);
    }
  }

  /** No more from us. */
  async closeInput(): Promise<void> {
    try {
      await this.#writer.close();
    } catch (error) {
      isBroken(error);
    }
  }

  /** At once; nothing that it might still do is waited for. Idempotent. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Kills it if it still runs, and frees its pipes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.ended;
    this.#stdout.cancel();
    await this.#lines.return();
    await this.closeInput();
  }
}

/** False, or throws what has nothing to do with a reader that went away. */
function isBroken(error: unknown): false {
  const gone = error instanceof TypeError || /pipe|closed|bad resource/i.test(errorText(error));
  if (!gone) throw error;
  return false;
}

/** Chunks of a stream that somebody else may end early. */
class CancellableChunks implements AsyncIterable<Uint8Array> {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #cancelled: Promise<void> | undefined;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  cancel(): void {
    this.#cancelled ??= this.#reader.cancel().catch(() => {
      // It ended by itself at the same moment.
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done) return;
        yield value;
      }
    } finally {
      this.cancel();
      await this.#cancelled;
    }
  }
}

async function tailOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of chunks) {
    text = (text + decoder.decode(chunk, { stream: true })).slice(-STDERR_BYTES_MAX);
  }
  return text;
}
