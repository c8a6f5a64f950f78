/**
 * Background jobs as the daemon sees them: who may do what is decided here, as for everything that it
 * executes; the jobs themselves are the holder's (holder.ts). A request whose holder dies is asked of the
 * next one, which knows what was lost; a start is safe to repeat, since a run starts once.
 */

import * as v from "valibot";
import {
  type Call,
  CallError,
  type Calls,
  type Context,
  type ModuleHost,
  type StopHow,
} from "../../core/mod.ts";
import { HolderClient, holderFailure } from "./holder_client.ts";
import { HOLDER_ANSWER_MS_MAX, HOLDER_TRIES_MAX } from "./limits.ts";
import {
  type JobEnd,
  JobEndSchema,
  type JobOrder,
  JobStartedSchema,
  type JobView,
  JobViewSchema,
  type RunEnd,
  type SignalName,
} from "./order.ts";
import type { Chunk } from "./program.ts";
import { type Programs, signedBy } from "./programs.ts";

/** Of the daemon. */
export interface ExecOptions {
  /** The node's state folder, where jobs are found again. */
  readonly folder: string;
  /**
   * A daemon that stops is started again with the same key, unless it is taken down for good. Where it
   * is not, it ends its jobs, unless it says that it goes on.
   */
  readonly comesBack: boolean;
}

export class HeldJobs {
  readonly #host: Pick<ModuleHost, "env" | "log" | "self">;
  readonly #programs: Programs;
  readonly #options: ExecOptions | undefined;
  readonly #holder: HolderClient | undefined;
  /** By key id: starts that the holder has not answered yet. */
  readonly #starting = new Map<string, number>();

  /** Without options there can be no jobs. */
  constructor(
    host: Pick<ModuleHost, "env" | "log" | "self">,
    programs: Programs,
    options: ExecOptions | undefined,
  ) {
    this.#host = host;
    this.#programs = programs;
    this.#options = options;
    if (options === undefined) return;
    this.#holder = new HolderClient(host, { folder: options.folder, node: host.self.name });
  }

  /** Resolves when it runs, or with its end when it could not be started. */
  async start(order: JobOrder, context: Context): Promise<{ end?: RunEnd }> {
    const { identity: { keyId, name: user }, requestId, as, rule, maxProcesses, commandsOnly } =
      signedBy(context);
    this.#starting.set(keyId, (this.#starting.get(keyId) ?? 0) + 1);
    try {
      const reply = await this.#ask(
        context.signal,
        { start: true },
        (calls, signal) =>
          calls.request("holder.start", {
            keyId,
            order,
            user,
            requestId,
            as,
            rule,
            ...(maxProcesses === undefined ? {} : { maxProcesses }),
            commandsOnly,
            elsewhere: this.#programs.countOf(keyId),
          }, { deadlineMs: 0, signal }),
      );
      return v.parse(JobStartedSchema, reply) as { end?: RunEnd };
    } finally {
      const left = (this.#starting.get(keyId) ?? 1) - 1;
      if (left === 0) this.#starting.delete(keyId);
      else this.#starting.set(keyId, left);
    }
  }

  async list(context: Context): Promise<JobView[]> {
    const reply = await this.#request("holder.jobs", {}, context);
    return reply === undefined ? [] : v.parse(v.array(JobViewSchema), reply);
  }

  /** Its output; and how it ended, if it has. */
  async *logs(
    { job, follow }: { job: string; follow: boolean },
    context: Context,
  ): AsyncGenerator<Chunk, JobEnd, void> {
    const { keyId } = signedBy(context).identity;
    const { signal } = context;
    const calls = await this.#holder?.open({ start: false });
    if (calls === undefined) return { found: false };
    const call: Call = calls.stream("holder.logs", { keyId, job, follow }, {
      deadlineMs: 0,
      signal,
    });
    try {
      for await (const item of call) yield item as Chunk;
      return v.parse(JobEndSchema, await call.reply);
    } catch (error) {
      if (!isGone(error) || signal.aborted) throw error;
      await calls.done;
      // The next holder knows that it is lost.
      return await this.#end("holder.wait", { job }, context);
    } finally {
      call.cancel();
    }
  }

  /** When it has ended. */
  async wait(job: string, context: Context): Promise<JobEnd> {
    return await this.#end("holder.wait", { job }, context);
  }

  async signal(
    { job, signal }: { job: string; signal: SignalName },
    context: Context,
  ): Promise<JobEnd> {
    return await this.#end("holder.kill", { job, signal }, context);
  }

  /** Programs that run as jobs of who asks, or are about to: as far as a rule's limit needs to know. */
  async countOf(context: Context): Promise<number> {
    const { identity: { keyId }, maxProcesses } = signedBy(context);
    if (maxProcesses === undefined) return 0;
    const reply = await this.#request("holder.count", {}, context);
    return v.parse(v.optional(v.number(), 0), reply) + (this.#starting.get(keyId) ?? 0);
  }

  /** The jobs go on, unless this daemon never comes back. */
  async stop({ forGood = this.#options?.comesBack !== true }: StopHow): Promise<void> {
    if (!forGood) return await this.#holder?.close();
    try {
      await this.#holder?.end();
    } catch (error) {
      this.#host.log("error", holderFailure(error));
    } finally {
      await this.#holder?.close();
    }
  }

  async #end(verb: string, args: Record<string, unknown>, context: Context): Promise<JobEnd> {
    const reply = await this.#request(verb, args, context);
    return reply === undefined ? { found: false } : v.parse(JobEndSchema, reply);
  }

  /** Undefined when nothing is held. */
  async #request(
    verb: string,
    args: Record<string, unknown>,
    context: Context,
  ): Promise<unknown> {
    const { keyId } = signedBy(context).identity;
    const deadlineMs = verb === "holder.wait" ? 0 : HOLDER_ANSWER_MS_MAX;
    return await this.#ask(
      context.signal,
      { start: false },
      (calls, signal) => calls.request(verb, { ...args, keyId }, { deadlineMs, signal }),
    );
  }

  async #ask(
    signal: AbortSignal,
    options: { readonly start: boolean },
    ask: (calls: Calls, signal: AbortSignal) => Promise<unknown>,
  ): Promise<unknown> {
    if (this.#holder === undefined) {
      if (!options.start) return undefined;
      throw new CallError("failed", "This daemon has no place for background jobs");
    }
    for (let tries = 1;; tries++) {
      const calls = await this.#holder.open(options);
      if (calls === undefined) return undefined;
      try {
        return await ask(calls, signal);
      } catch (error) {
        if (!isGone(error) || tries >= HOLDER_TRIES_MAX || signal.aborted) throw error;
        await calls.done;
      }
    }
  }
}

/** The holder died or is about to end. */
function isGone(error: unknown): boolean {
  return error instanceof CallError && error.class === "unreachable";
}
