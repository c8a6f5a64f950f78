/** What plain data weighs in our queues: roughly its bytes. */

import { ENTRY_BYTES } from "./limits.ts";

/** Maps count as one entry: what is large in a stream is bytes, text or lists of them. */
export function weightOf(value: unknown): number {
  if (value instanceof Uint8Array || typeof value === "string") return ENTRY_BYTES + value.length;
  if (!Array.isArray(value)) return ENTRY_BYTES;
  return value.reduce<number>((sum, item) => sum + weightOf(item), ENTRY_BYTES);
}
