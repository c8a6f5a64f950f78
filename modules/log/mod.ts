/**
 * The log module: shows the daemon's own log to those whom the policy allows, and to the owner of its
 * socket. Only what was logged at the daemon's level is there; secrets are in no log.
 */

import * as v from "valibot";
import {
  CallError,
  type Context,
  FirstSignal,
  type Module,
  type ModuleHost,
  verb,
} from "../../core/mod.ts";
import { LOG_LINES_MAX } from "./limits.ts";
import { LEVELS } from "./log_line.ts";
import type { LogRing } from "./log_ring.ts";

export { LogRing } from "./log_ring.ts";

const ReadSchema = v.strictObject({
  level: v.picklist(LEVELS),
  /** Only lines of the last so many milliseconds. */
  sinceMs: v.optional(v.pipe(v.number(), v.finite(), v.minValue(0))),
  lines: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(LOG_LINES_MAX)),
  follow: v.boolean(),
});
type Read = v.InferOutput<typeof ReadSchema>;
const DONE = v.strictObject({});

/** One for each daemon. */
export function createLog(ring?: LogRing): Module {
  let host: ModuleHost | undefined;

  async function* read(
    { level, sinceMs, lines, follow }: Read,
    { signal }: Context,
  ): AsyncGenerator<unknown, Record<string, never>, void> {
    if (host === undefined || ring === undefined) {
      throw new CallError("unreachable", "This daemon keeps no log to show");
    }
    const since = sinceMs === undefined ? 0 : host.env.clock.now() - sinceMs;
    using until = new FirstSignal(signal, host.stopping);
    yield* ring.read({ level, since, lines, follow, signal: until.signal });
    return {};
  }

  return {
    name: "log",
    verbs: {
      read: verb({ action: "guarded", args: ReadSchema, reply: DONE, handle: read }),
      own: verb({ action: "local", args: ReadSchema, reply: DONE, handle: read }),
    },
    start(given) {
      host = given;
      return Promise.resolve();
    },
    stop: () => Promise.resolve(),
  };
}
