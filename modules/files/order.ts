/** What a user signs to have files written or read, and what a process that copies is told to do. */

import * as v from "valibot";
import { PATH_BYTES_MAX, STALLED_MS_MAX, STALLED_MS_MIN } from "./limits.ts";

/** The kernel ends paths at a NUL. */
const Path = v.pipe(
  v.string(),
  v.maxLength(PATH_BYTES_MAX),
  v.check((text) => !text.includes("\0"), "A NUL cannot be in a path"),
);
const RunIdSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, "Not 32 hex digits"));
const Count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** Without progress for so long it is given up. @default STALLED_MS_DEFAULT */
const stalledMs = v.optional(
  v.pipe(v.number(), v.minValue(STALLED_MS_MIN), v.maxValue(STALLED_MS_MAX)),
);

/** Arguments of `files.write`. */
export const WriteOrderSchema = v.strictObject({
  /** 128 random bits as hex, made by who orders it. */
  run: RunIdSchema,
  /** Where to; the policy's `paths` are compared with it. Below the home unless it is absolute. */
  path: Path,
  /** One thing is copied, which may get a new name. */
  single: v.boolean(),
  /** `bound`: in a session of the user's own; `hashed`: each piece's hash is signed, whoever brings it. */
  input: v.picklist(["bound", "hashed"]),
  stalledMs,
});
export type WriteOrder = v.InferOutput<typeof WriteOrderSchema>;

/** Arguments of `files.read`. */
export const ReadOrderSchema = v.strictObject({
  /** What to read; the policy's `paths` are compared with it. */
  path: Path,
  /** What it is called at the receiver; empty: what is in it. */
  name: Path,
  /** Send hashes, so that files are compared by them. */
  checksum: v.boolean(),
  stalledMs,
});
export type ReadOrder = v.InferOutput<typeof ReadOrderSchema>;

const UserSchema = v.strictObject({ name: v.string(), uid: Count, gid: Count });
const common = {
  /** Absolute. */
  path: Path,
  /** Whom to become first; undefined: who it is. */
  user: v.optional(UserSchema),
  /** The rule allows these alone: see matchesPath. */
  paths: v.optional(v.array(v.string())),
  rule: v.string(),
  /** Say what was taken; see agent.ts. */
  taken: v.optional(v.literal(true)),
};
/** What a process that copies is told. */
export const AgentOrderSchema = v.variant("kind", [
  v.strictObject({ kind: v.literal("write"), ...common, single: v.boolean(), key: v.string() }),
  v.strictObject({
    kind: v.literal("read"),
    ...common,
    name: Path,
    checksum: v.boolean(),
  }),
]);
export type AgentOrder = v.InferOutput<typeof AgentOrderSchema>;
