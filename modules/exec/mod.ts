/**
 * The module "exec": runs programs of users. Its verbs are guarded: nobody may use them unless the
 * policy of the target allows that very user, and the program runs as the unix user that the policy
 * grants. Output streams up, or comes back with the reply; see order.ts.
 */

import { CallError, type Module, verb } from "../../core/mod.ts";
import * as v from "valibot";
import { type ExecOptions, HeldJobs } from "./held_jobs.ts";
import {
  JobEndSchema,
  JobOrderSchema,
  JobSchema,
  JobStartedSchema,
  JobViewSchema,
  KillOrderSchema,
  LogsOrderSchema,
  type RunEnd,
  RunEndSchema,
  RunOrderSchema,
  SignalOrderSchema,
  SignalReplySchema,
} from "./order.ts";
import { Programs } from "./programs.ts";

export type { ExecOptions } from "./held_jobs.ts";

/** Without options it has no place for background jobs. */
export function createExec(options?: ExecOptions): Module {
  let running: { readonly programs: Programs; readonly jobs: HeldJobs } | undefined;

  function here(): { readonly programs: Programs; readonly jobs: HeldJobs } {
    if (running !== undefined) return running;
    throw new CallError("busy", "The exec module has not started yet");
  }

  return {
    name: "exec",
    verbs: {
      run: verb({
        action: "guarded",
        args: RunOrderSchema,
        reply: RunEndSchema,
        checksInput: true,
        outcome: outcomeOf,
        async *handle(order, context) {
          const { programs, jobs } = here();
          const elsewhere = await jobs.countOf(context);
          return yield* programs.run(order, context, { elsewhere });
        },
      }),
      signal: verb({
        action: "guarded",
        args: SignalOrderSchema,
        reply: SignalReplySchema,
        handle: (order, context) => ({ sent: here().programs.signal(order, context) }),
      }),
      start: verb({
        action: "guarded",
        args: JobOrderSchema,
        reply: JobStartedSchema,
        outcome: ({ end }) => end === undefined ? "started" : outcomeOf(end),
        handle: (order, context) => here().jobs.start(order, context),
      }),
      jobs: verb({
        action: "guarded",
        args: v.optional(v.strictObject({})),
        reply: v.array(JobViewSchema),
        handle: (_args, context) => here().jobs.list(context),
      }),
      logs: verb({
        action: "guarded",
        args: LogsOrderSchema,
        reply: JobEndSchema,
        handle: (order, context) => here().jobs.logs(order, context),
      }),
      wait: verb({
        action: "guarded",
        args: JobSchema,
        reply: JobEndSchema,
        handle: ({ job }, context) => here().jobs.wait(job, context),
      }),
      kill: verb({
        action: "guarded",
        args: KillOrderSchema,
        reply: JobEndSchema,
        handle: (order, context) => here().jobs.signal(order, context),
      }),
    },
    start(host) {
      const programs = new Programs(host);
      running = { programs, jobs: new HeldJobs(host, programs, options) };
      return Promise.resolve();
    },
    async stop(how) {
      await Promise.all([running?.programs.stop(), running?.jobs.stop(how)]);
    },
  };
}

function outcomeOf({ code, signal, timedOut, error }: RunEnd): string {
  if (error !== undefined) return `not started: ${error}`;
  const how = signal === undefined ? `exit ${code}` : `signal ${signal}`;
  return timedOut ? `${how}, out of time` : how;
}
