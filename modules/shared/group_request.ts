/**
 * What a caller asks of the group module: the arguments of `group.call`, which run one or several
 * verbs on many nodes and bring back one account of all of them (see group_result.ts).
 */

import * as v from "valibot";
import {
  GROUP_FIELD_CHARACTERS_MAX,
  GROUP_MS_MAX,
  GROUP_NODE_BYTES_MAX,
  GROUP_STEPS_MAX,
  GROUP_TOP_MAX,
  NODESET_CHARACTERS_MAX,
} from "./limits.ts";

/** A part of an answer: names of properties and positions in lists, "load.0". */
const Field = v.optional(
  v.pipe(v.string(), v.minLength(1), v.maxLength(GROUP_FIELD_CHARACTERS_MAX)),
);

/** How answers that need no field or number of their own are put together. */
export const PLAIN_REDUCERS = [
  "fold",
  "list",
  "count",
  "sum",
  "min",
  "max",
  "mean",
  "first-error",
] as const;

/**
 * How answers are put together on their way up. `fold`: equal answers become one, with the set of
 * nodes that gave it. `list`: every node by itself. The others keep no answers, only what they say.
 */
export const ReduceSchema = v.variant("kind", [
  v.strictObject({ kind: v.picklist(PLAIN_REDUCERS), field: Field }),
  v.strictObject({
    kind: v.literal("histogram"),
    field: Field,
    /** Of a bucket; doubled as often as needed to keep their number bounded. @default 1 */
    width: v.optional(v.pipe(v.number(), v.finite(), v.gtValue(0)), 1),
  }),
  v.strictObject({
    kind: v.literal("top"),
    field: Field,
    /** @default 10 */
    count: v.optional(
      v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(GROUP_TOP_MAX)),
      10,
    ),
  }),
]);
/** As it may be given: defaults may be left out. */
export type ReduceInput = v.InferInput<typeof ReduceSchema>;
export type Reduce = v.InferOutput<typeof ReduceSchema>;

/** 128 random bits as hex. A copy with the same id never runs twice on any target. */
export const GroupIdSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, "Not 32 hex digits"));

/** Verbs with arguments, run in order on each target until one fails. */
const StepsSchema = v.pipe(
  v.array(
    v.strictObject({
      verb: v.pipe(v.string(), v.minLength(1), v.maxLength(127)),
      args: v.optional(v.unknown()),
    }),
  ),
  v.minLength(1),
  v.maxLength(GROUP_STEPS_MAX),
);

/** What to run and how, the same for every node that carries it on. */
export const workEntries = {
  steps: v.optional(StepsSchema),
  /** Instead of `steps`: a request signed by a user, for guarded verbs. */
  signed: v.optional(v.custom<Uint8Array>((bytes) => bytes instanceof Uint8Array, "No bytes")),
  /** The list of targets that `signed` names by hash only, as a nodeset in signed order. */
  listed: v.optional(v.pipe(v.string(), v.maxLength(NODESET_CHARACTERS_MAX))),
  /** Pass on what the verbs stream, for verbs that do. @default false */
  stream: v.optional(v.boolean()),
  /** Items that the caller sends go to all targets. @default false */
  input: v.optional(v.boolean()),
};

const milliseconds = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(GROUP_MS_MAX));

/** Arguments of `group.call`. */
export const GroupCallSchema = v.pipe(
  v.strictObject({
    /** @default random */
    id: v.optional(GroupIdSchema),
    /** Nodeset; groups and `*` mean what the called node knows. Empty: all nodes that did not leave. */
    targets: v.optional(v.pipe(v.string(), v.maxLength(NODESET_CHARACTERS_MAX)), ""),
    /**
     * Nodeset: of the targets those that are nodes by the caller's own record. One of them of which the
     * called daemon never heard is unreachable, any other name that no node has is a mistake. @default none
     */
    expected: v.optional(v.pipe(v.string(), v.maxLength(NODESET_CHARACTERS_MAX))),
    ...workEntries,
    /** @default fold */
    reduce: v.optional(ReduceSchema, { kind: "fold" }),
    /** Unix ms by the caller's clock, after which no target starts. @default 5 s from now */
    startBy: v.optional(v.number()),
    /** How long the slowest target may take. @default 30 s */
    deadlineMs: v.optional(milliseconds),
    /** A larger answer is no answer: the target counts as failed. @default 64 KiB */
    bytesPerNodeMax: v.optional(
      v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(GROUP_NODE_BYTES_MAX)),
    ),
    /** Send what is there now and then, and not only when the reply would become too large. */
    progress: v.optional(v.boolean(), false),
  }),
  v.check(
    (args) => (args.steps === undefined) !== (args.signed === undefined),
    "Give steps or signed",
  ),
);
export type GroupCallInput = v.InferInput<typeof GroupCallSchema>;
export type GroupCall = v.InferOutput<typeof GroupCallSchema>;
