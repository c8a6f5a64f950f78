/** One line of a daemon's log, as it is kept, and as it crosses conduits. */

import * as v from "valibot";

/** From the least to the most important. */
export const LEVELS = ["debug", "info", "warning", "error"] as const;

export const LogLineSchema = v.object({
  /** Unix ms, by the clock of the node. */
  time: v.pipe(v.number(), v.finite()),
  level: v.picklist(LEVELS),
  /** The module, or a part of the core. */
  component: v.string(),
  text: v.string(),
  /** An object as JSON, for programs. */
  fields: v.optional(v.string()),
});
export type LogLine = Readonly<v.InferOutput<typeof LogLineSchema>>;

/** An item of `log.read` and `log.own`. */
export const LogItemSchema = v.object({
  lines: v.array(LogLineSchema),
  /** Lines before these that the reader was too slow for. */
  missed: v.number(),
});
export type LogItem = Readonly<v.InferOutput<typeof LogItemSchema>>;

/** Whether it is as important as that, or more. */
export function isAtLeast(level: LogLine["level"], least: LogLine["level"]): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(least);
}
