/**
 * One running program: a process group of its own, its output as it comes, its input, and its end.
 *
 * It is over when its first process has ended and nobody holds its output any more. What is left of
 * its process group then gets a moment to finish and is killed; a daemon that it has started, in a
 * session of its own, lives on, and its output is no longer waited for.
 */

import {
  type Child,
  type ChildStatus,
  type Clock,
  type Environment,
  type Timer,
} from "../../core/mod.ts";
import type { Launch } from "./launch.ts";
import { DRAIN_MS } from "./limits.ts";
import { Mailbox } from "./mailbox.ts";

/** As file descriptors are numbered. */
export const STDOUT = 1;
export const STDERR = 2;

/** What came out of one of the two at once. */
export type Chunk = readonly [stream: typeof STDOUT | typeof STDERR, bytes: Uint8Array];

type Needs = Pick<Environment, "clock" | "processes">;

export class Program {
  readonly pid: number;
  /** Of the first process. */
  readonly status: Promise<ChildStatus>;
  /** Output until all of it is over. For one reader; leaving it early throws the rest away. */
  readonly output: AsyncGenerator<Chunk, void, void>;
  /** Resolves when nothing of it is left here. */
  readonly over: Promise<void>;
  readonly #env: Needs;
  readonly #child: Child;
  readonly #mailbox = new Mailbox<Chunk>();
  #kill: { readonly at: number; readonly timer: Timer } | undefined;
  /** Its first process has ended, and its number may be somebody else's. */
  #isReaped = false;
  #ended = false;

  /** Rejects with NotFoundError or FileError when it cannot be started. */
  static async start(env: Needs, launch: Launch): Promise<Program> {
    return new Program(env, await env.processes.spawn(launch.program, launch.options));
  }

  private constructor(env: Needs, child: Child) {
    this.#env = env;
    this.#child = child;
    this.pid = child.pid;
    this.status = child.status;
    const sources = [[STDOUT, child.stdout], [STDERR, child.stderr]] as const;
    const pumps = sources.map(([stream, from]) =>
      new Pump(
        env.clock,
        from as ReadableStream<Uint8Array>,
        (bytes) => this.#mailbox.put([stream, bytes]),
      )
    );
    this.output = this.#mailbox.items();
    this.over = this.#finish(pumps).finally(() => this.#mailbox.close());
  }

  /** To the whole process group. False when nothing of it is left. */
  signal(name: string): boolean {
    const { processes } = this.#env;
    if (this.#ended) return false;
    // In its first moments it has not made its group yet.
    return processes.signal(-this.pid, name) ||
      (!this.#isReaped && processes.signal(this.pid, name));
  }

  /** Asks politely by `signal`, and kills after that time. The earliest kill counts. */
  stop(signal: string, killAfterMs: number): void {
    if (!this.signal(signal)) return;
    // What is stopped (SIGSTOP) would sleep through every polite word.
    this.signal("SIGCONT");
    const { clock } = this.#env;
    const at = clock.monotonic() + killAfterMs;
    if (this.#kill !== undefined && this.#kill.at <= at) return;
    this.#kill?.timer.cancel();
    this.#kill = { at, timer: clock.after(killAfterMs, () => void this.signal("SIGKILL")) };
  }

  /** Kills it, and throws away what nobody has read. Resolves when nothing of it is left. */
  async end(): Promise<void> {
    this.#mailbox.close();
    this.stop("SIGKILL", 0);
    await this.over;
  }

  /** Writes all of it, as fast as the program takes it. Rejects only with what `input` throws. */
  async feed(input: AsyncIterable<Uint8Array>): Promise<void> {
    const writer = this.#child.stdin?.getWriter();
    if (writer === undefined) return;
    let open = true;
    // It no longer reads: the rest goes nowhere, as into a pipe of a shell.
    const broken = () => void (open = false);
    try {
      for await (const bytes of input) {
        if (this.#ended) return;
        if (open) await writer.write(bytes).catch(broken);
      }
    } finally {
      await writer.close().catch(broken);
    }
  }

  async #finish(pumps: readonly Pump[]): Promise<void> {
    let isOpen = true;
    const all = Promise.all(pumps.map(({ done }) => done)).then(() => {
      isOpen = false;
      return true;
    });
    await this.status;
    this.#isReaped = true;
    const ended = this.#env.clock.monotonic();
    // From now on its number could be somebody else's, unless others of its group keep it.
    let hasGroup = this.signal("0");
    this.#ended = !hasGroup;
    while (isOpen && !await this.#within(DRAIN_MS, all)) {
      if (hasGroup) this.signal("SIGKILL");
      hasGroup = false;
      for (const pump of pumps) pump.giveUp({ since: ended, ms: DRAIN_MS });
    }
    if (hasGroup) this.signal("SIGKILL");
    this.#ended = true;
    this.#kill?.timer.cancel();
  }

  async #within(ms: number, done: Promise<boolean>): Promise<boolean> {
    const { promise: late, resolve } = Promise.withResolvers<false>();
    const timer = this.#env.clock.after(ms, () => resolve(false));
    try {
      return await Promise.race([done, late]);
    } finally {
      timer.cancel();
    }
  }
}

/** Carries one stream to the mailbox. */
class Pump {
  /** Never rejects. */
  readonly done: Promise<void>;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  /** Monotonic ms since when it waits for output; undefined while it waits for the reader. */
  #silentSince: number | undefined;

  constructor(
    clock: Pick<Clock, "monotonic">,
    from: ReadableStream<Uint8Array>,
    deliver: (bytes: Uint8Array) => Promise<void>,
  ) {
    this.#clock = clock;
    this.#reader = from.getReader();
    this.done = this.#run(deliver);
  }

  /** Reads no more if nothing has come for `ms`, counted from `since` at the earliest. */
  giveUp(options: { readonly since: number; readonly ms: number }): void {
    if (this.#silentSince === undefined) return;
    const silentMs = this.#clock.monotonic() - Math.max(this.#silentSince, options.since);
    if (silentMs >= options.ms) void this.#reader.cancel();
  }

  async #run(deliver: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    for (;;) {
      this.#silentSince = this.#clock.monotonic();
      const { done, value } = await this.#reader.read();
      this.#silentSince = undefined;
      if (done) return;
      await deliver(value);
    }
  }
}
