/**
 * Programs in the background: started by a user who then goes away, and found again by their name. The
 * last of their output and how they ended are kept for a while. They end with the daemon.
 */

import {
  CallError,
  type Context,
  errorText,
  MinimeError,
  type ModuleHost,
} from "../../core/mod.ts";
import { JOB_KEPT_MS, JOBS_KEPT_MAX } from "./limits.ts";
import type { JobEnd, JobOrder, JobView, RunEnd, SignalName } from "./order.ts";
import type { Chunk } from "./program.ts";
import { type Programs, signedBy } from "./programs.ts";
import { Ring } from "./ring.ts";

interface Job {
  readonly name: string;
  readonly keyId: string;
  readonly run: string;
  readonly argv: readonly string[];
  /** Unix ms. */
  readonly startedMs: number;
  readonly ring: Ring;
  endedMs: number | undefined;
  end: RunEnd | undefined;
  /** Resolves when it has ended. Never rejects. */
  over: Promise<void>;
}

/** Nobody's: a job does not end because a caller has gone. */
const NEVER = new AbortController().signal;

export class Jobs {
  readonly #host: Pick<ModuleHost, "env" | "log">;
  readonly #programs: Programs;
  /** By key id and name, in the order of their start. */
  readonly #jobs = new Map<string, Job>();

  constructor(host: Pick<ModuleHost, "env" | "log">, programs: Programs) {
    this.#host = host;
    this.#programs = programs;
  }

  /** Resolves when it runs, or with its end when it could not be started. */
  async start(order: JobOrder, context: Context): Promise<{ end?: RunEnd }> {
    const { job: name, ...run } = order;
    const { keyId } = signedBy(context).identity;
    const key = `${keyId} ${name}`;
    this.#forget();
    const known = this.#jobs.get(key);
    if (known !== undefined && known.endedMs === undefined) {
      throw new CallError("failed", `Job "${name}" runs already`);
    }
    const { promise: started, resolve } = Promise.withResolvers<void>();
    const job: Job = {
      name,
      keyId,
      run: order.run,
      argv: order.argv,
      startedMs: this.#host.env.clock.now(),
      ring: new Ring(),
      endedMs: undefined,
      end: undefined,
      over: Promise.resolve(),
    };
    const own: Context = { ...context, signal: NEVER, deadlineMs: 0 };
    const following = this.#follow(job, this.#programs.run(run, own, resolve));
    job.over = following.catch((error) => {
      this.#host.log("warning", `Job "${name}" broke off: ${errorText(error)}`);
    });
    this.#jobs.delete(key);
    this.#jobs.set(key, job);
    try {
      await Promise.race([started, following]);
    } catch (error) {
      this.#jobs.delete(key);
      throw error;
    }
    const end = job.end as RunEnd | undefined;
    return end?.error === undefined ? {} : { end };
  }

  list(context: Context): JobView[] {
    const { keyId } = signedBy(context).identity;
    this.#forget();
    return [...this.#jobs.values()].filter((job) => job.keyId === keyId).map((job) => ({
      job: job.name,
      argv: [...job.argv],
      startedMs: job.startedMs,
      bytes: job.ring.written,
      ...(job.endedMs === undefined ? {} : { endedMs: job.endedMs }),
      ...(job.end === undefined ? {} : { end: job.end }),
    }));
  }

  /** Its output; and how it ended, if it has. */
  async *logs(
    { job: name, follow }: { job: string; follow: boolean },
    context: Context,
  ): AsyncGenerator<Chunk, JobEnd, void> {
    const job = this.#find(name, context);
    if (job === undefined) return { found: false };
    const cutBytes = yield* job.ring.read({ follow, signal: context.signal });
    // The output is over a moment before the end is known.
    if (follow && !context.signal.aborted) await job.over;
    return { ...endOf(job), ...(cutBytes === 0 ? {} : { cutBytes }) };
  }

  /** When it has ended. */
  async wait(name: string, context: Context): Promise<JobEnd> {
    const job = this.#find(name, context);
    if (job === undefined) return { found: false };
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    context.signal.addEventListener("abort", () => resolve());
    await Promise.race([job.over, gone]);
    return endOf(job);
  }

  signal({ job: name, signal }: { job: string; signal: SignalName }, context: Context): JobEnd {
    const job = this.#find(name, context);
    if (job === undefined) return { found: false };
    this.#programs.signal({ run: job.run, signal }, context);
    return endOf(job);
  }

  async #follow(job: Job, output: AsyncGenerator<Chunk, RunEnd, void>): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await output.next();
        if (!done) job.ring.push(value);
        else {
          job.end = value;
          return;
        }
      }
    } catch (error) {
      if (error instanceof MinimeError) job.end = { code: 125, error: errorText(error) };
      throw error;
    } finally {
      job.endedMs = this.#host.env.clock.now();
      job.ring.finish();
    }
  }

  #find(name: string, context: Context): Job | undefined {
    this.#forget();
    return this.#jobs.get(`${signedBy(context).identity.keyId} ${name}`);
  }

  /** What ended long ago, and the oldest when there are many. */
  #forget(): void {
    const now = this.#host.env.clock.now();
    const ended = [...this.#jobs].filter(([, { endedMs }]) => endedMs !== undefined);
    const tooMany = ended.length - JOBS_KEPT_MAX;
    for (const [index, [key, { endedMs = 0 }]] of ended.entries()) {
      if (index < tooMany || now - endedMs > JOB_KEPT_MS) this.#jobs.delete(key);
    }
  }
}

function endOf({ end }: Job): JobEnd {
  return { found: true, ...(end === undefined ? {} : { end }) };
}
