/** What the command and the daemons of a mesh say to each other about programs. */

import * as v from "valibot";
import { PROGRAM_BYTES_MAX } from "./limits.ts";

/** SHA-256 of the program, hex. */
export const HashSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

/** Arguments of `upgrade.put`; its input is the program, compressed by gzip, in pieces. */
export const PutSchema = v.strictObject({
  hash: HashSchema,
  bytes: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(PROGRAM_BYTES_MAX)),
});

/** What `minime version --json` says of a program. */
export const ProgramVersionSchema = v.object({
  version: v.pipe(v.string(), v.regex(/^[0-9A-Za-z.+-]{1,32}$/)),
  /** The oldest and the newest protocol that it speaks. */
  speaks: v.tuple([v.number(), v.number()]),
});

/** Reply of `upgrade.put`. */
export const PutReplySchema = v.object({
  ...ProgramVersionSchema.entries,
  /** The node runs it already. */
  same: v.boolean(),
});

/** Reply of `upgrade.start`: the life that ends now. */
export const StartedSchema = v.object({ instance: v.string() });

/** Reply of `upgrade.state`. */
export const StateSchema = v.object({
  /** Of the program that runs. */
  hash: HashSchema,
  version: v.string(),
  instance: v.string(),
});
