/** Lines of the audit files as they lie on a node's disk: what was decided, and what became of it. */

import * as v from "valibot";

const Text = v.string();

const LineSchema = v.looseObject({
  /** Unix ms. */
  time: v.number(),
  event: v.picklist(["decision", "outcome"]),
  node: Text,
  request: Text,
  verb: Text,
  principal: Text,
  key: Text,
  target: v.optional(Text),
  as: v.optional(Text),
  /** "HOST:PORT", of a verb that opens a connection. */
  destination: v.optional(Text),
  allowed: v.optional(v.boolean()),
  rule: v.optional(Text),
  why: v.optional(Text),
  outcome: v.optional(Text),
});
export type AuditLine = v.InferOutput<typeof LineSchema>;

/** Undefined for a line that is none: a full disk or a lost machine may have cut it. */
export function parseAuditLine(text: string): AuditLine | undefined {
  try {
    const result = v.safeParse(LineSchema, JSON.parse(text));
    return result.success ? result.output : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
