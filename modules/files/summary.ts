/** What became of a copy at one node, the same wherever the same happened. */

import * as v from "valibot";
import { PROBLEMS_SHOWN_MAX } from "./limits.ts";

const Count = v.pipe(v.number(), v.integer(), v.minValue(0));

export const SummarySchema = v.object({
  /** Written or read. */
  files: Count,
  /** Of their content that went over the wire. */
  bytes: Count,
  /** Files and links that were the same already. */
  same: Count,
  /** How many things could not be copied, and the first of them. */
  problems: Count,
  shown: v.pipe(v.array(v.string()), v.maxLength(PROBLEMS_SHOWN_MAX)),
  /** What is no problem, but should be known; the last one may say how many are left out. */
  notes: v.optional(v.pipe(v.array(v.string()), v.maxLength(PROBLEMS_SHOWN_MAX + 1))),
});
export type Summary = v.InferOutput<typeof SummarySchema>;
