import assert from "node:assert/strict";
import { shuffled } from "../../../modules/shared/chance.ts";
import { SeededRandom } from "../../simulation/random.ts";

Deno.test("shuffled: all are there, in orders that differ, and the given list stays", () => {
  const items = Array.from({ length: 20 }, (_, i) => i);
  const random = new SeededRandom("shuffled");
  const [one, other] = [shuffled(items, random), shuffled(items, random)];
  for (const list of [one, other]) assert.deepEqual(list.toSorted((a, b) => a - b), items);
  assert.notDeepEqual(one, other);
  assert.deepEqual(items, Array.from({ length: 20 }, (_, i) => i));
});
