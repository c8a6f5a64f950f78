import assert from "node:assert/strict";
import type { JournalRecord } from "../../../core/security/journal.ts";
import { JournalMemory } from "../../../core/security/journal_memory.ts";
import { NOW } from "./documents.ts";

function record(number: number, untilMs: number): JournalRecord {
  return { keyId: "ab".repeat(32), requestId: `${number}`.padStart(32, "0"), untilMs };
}

Deno.test("journal memory: knows what it was given and what the life before left, until it expires", async () => {
  let now = NOW;
  const earlier = [record(1, NOW + 1), record(2, NOW + 9)];
  const journal = new JournalMemory({ now: () => now, earlier, recordsMax: 3 });
  await journal.append({ ...record(3, NOW + 1), mayBeLost: true });
  assert.deepEqual(journal.records, [...earlier, record(3, NOW + 1)]);
  now = NOW + 2;
  // The third is the most before those that expired are looked for.
  for (const number of [4, 5, 6]) await journal.append(record(number, NOW + 9));
  const living = [2, 4, 5, 6].map((number) => record(number, NOW + 9));
  assert.deepEqual(journal.records, living);
  assert.deepEqual(new JournalMemory({ now: () => now, earlier: living }).records, living);
});
