/** What is said at a registrar's desk: by operators who want tokens, and by machines that show them. */

import * as v from "valibot";
import { isName } from "../../core/mod.ts";
import { TOKEN_GROUPS_MAX, TOKEN_MS_MAX, TOKEN_MS_MIN } from "./limits.ts";

const Bytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array, "Expected bytes");
const Name = v.pipe(v.string(), v.check(isName, "Expected a name"));

/** Arguments of `init_boot.token`. */
export const TokenRequestSchema = v.strictObject({
  name: Name,
  groups: v.pipe(v.array(Name), v.maxLength(TOKEN_GROUPS_MAX)),
  ttlMs: v.pipe(v.number(), v.integer(), v.minValue(TOKEN_MS_MIN), v.maxValue(TOKEN_MS_MAX)),
});
/** Its reply. */
export const TokenReplySchema = v.object({ token: v.string() });

/** Reply of `init_boot.join`: all that a node needs but its key. */
export const JoinedSchema = v.object({
  /** Leaf first. */
  chain: v.pipe(v.array(Bytes), v.minLength(1), v.maxLength(2)),
  psk: Bytes,
  policy: v.optional(Bytes),
  revocations: v.optional(Bytes),
  secrets: v.optional(Bytes),
});
