/** What a group operation does, the same at every node; and how it is handed to a neighbour. */

import * as v from "valibot";
import {
  GROUP_MS_MAX,
  GROUP_NODE_BYTES_MAX,
  GROUP_SLACK_MS,
  GROUP_TARGETS_MAX,
  NODESET_CHARACTERS_MAX,
} from "../shared/limits.ts";
import { GroupIdSchema, ReduceSchema, workEntries } from "../shared/group_request.ts";
import { AVOID_EDGES_MAX, HOPS_MAX } from "./limits.ts";

const Name = v.pipe(v.string(), v.minLength(1), v.maxLength(253));

/** Either steps or a signed request. */
const WorkSchema = v.strictObject({
  id: GroupIdSchema,
  ...workEntries,
  reduce: ReduceSchema,
  /** Unix ms by the clock of whoever hands it over: see `relay`. */
  startBy: v.pipe(v.number(), v.finite()),
  bytesPerNodeMax: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(GROUP_NODE_BYTES_MAX)),
});
export type Work = v.InferOutput<typeof WorkSchema>;

/** Arguments of `group.relay`: the work, and which targets of the origin's list are yours. */
export const RelaySchema = v.strictObject({
  work: WorkSchema,
  /** Indices into the origin's list, as ranges. */
  mine: v.pipe(v.array(v.number()), v.maxLength(2 * GROUP_TARGETS_MAX)),
  /** The names at those indices, in the same order, folded in order. */
  names: v.pipe(v.string(), v.maxLength(NODESET_CHARACTERS_MAX)),
  /** What is left for the slowest target. */
  deadlineMs: v.pipe(v.number(), v.minValue(1), v.maxValue(GROUP_MS_MAX)),
  slackMs: v.pipe(v.number(), v.minValue(0), v.maxValue(GROUP_SLACK_MS)),
  /** Names of the nodes that it has passed, the origin first. */
  via: v.pipe(v.array(Name), v.minLength(1), v.maxLength(HOPS_MAX)),
  /** Edges that were found broken, by names. */
  avoid: v.pipe(v.array(v.tuple([Name, Name])), v.maxLength(AVOID_EDGES_MAX)),
});
export type RelayArgs = v.InferOutput<typeof RelaySchema>;
