import assert from "node:assert/strict";
import { plural } from "../../../modules/shared/plural.ts";

Deno.test("plural: one is one, and none are many", () => {
  assert.deepEqual([0, 1, 2].map((count) => plural(count, "key")), ["0 keys", "1 key", "2 keys"]);
  assert.deepEqual([1, 2].map((count) => plural(count, "address", "addresses")), [
    "1 address",
    "2 addresses",
  ]);
});
