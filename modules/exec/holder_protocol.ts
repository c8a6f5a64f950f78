/**
 * What a daemon and the holder of its node's jobs say to each other, over a unix socket that only their
 * user can reach: calls in the frames that daemons use too. Daemon and holder may be of different
 * versions, since a holder lives on when its daemon is upgraded: each knows a range of versions of this
 * protocol, the daemon says hello first, and they speak the newest that both know. Replies may gain
 * fields; an order with a field that the holder does not know is refused and not run without it.
 *
 *   holder.hello   range of the daemon            range of the holder, its version, its pid
 *   holder.start   order, on whose authority      the end, if it could not be started
 *   holder.jobs    whose                          views
 *   holder.logs    whose, job, follow             items of output, then the end
 *   holder.wait    whose, job                     the end
 *   holder.kill    whose, job, signal             the end, if it has ended
 *   holder.count   whose                          how many run
 *   holder.end     nothing                        all jobs have ended and nothing is kept
 */

import * as v from "valibot";
import { jobsPidFile } from "../shared/state_folder.ts";
import { JobOrderSchema, JobSchema, KillOrderSchema, LogsOrderSchema } from "./order.ts";

/** Versions that this program speaks. */
export const HOLDER_PROTOCOL = { oldest: 1, newest: 1 } as const;

/** Names of what belongs to it in the node's state folder. */
export const HOLDER_SOCKET = "jobs";

/** Where its files are. */
export function holderPaths(folder: string): { readonly pid: string; readonly records: string } {
  return { pid: jobsPidFile(folder), records: `${folder}/jobs.json` };
}

const Version = v.pipe(v.number(), v.integer(), v.minValue(1));

/** Both ways. */
export const RangeSchema = v.object({ oldest: Version, newest: Version });
export const HelloSchema = v.object({ ...RangeSchema.entries, version: v.string() });

/** The newest version that both speak; undefined when there is none. */
export function commonVersion(
  a: v.InferOutput<typeof RangeSchema>,
  b: v.InferOutput<typeof RangeSchema>,
): number | undefined {
  const newest = Math.min(a.newest, b.newest);
  return newest >= Math.max(a.oldest, b.oldest) ? newest : undefined;
}

/** Key id of the user. */
const Whose = { keyId: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "Not a key id")) };

export const WhoseSchema = v.object(Whose);
export const HeldJobSchema = v.object({ ...Whose, ...JobSchema.entries });
export const HeldLogsSchema = v.object({ ...Whose, ...LogsOrderSchema.entries });
export const HeldKillSchema = v.object({ ...Whose, ...KillOrderSchema.entries });
/** The daemon has verified all of it. */
export const HeldOrderSchema = v.object({
  ...Whose,
  order: JobOrderSchema,
  user: v.string(),
  requestId: v.string(),
  as: v.string(),
  rule: v.string(),
  maxProcesses: v.optional(v.number()),
  commandsOnly: v.boolean(),
  /** Programs of that user that the daemon itself runs. */
  elsewhere: v.number(),
});
