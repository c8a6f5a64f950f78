import assert from "node:assert/strict";
import { closestWords, didYouMean, editDistance } from "../../../modules/shared/suggest.ts";

Deno.test("suggest: distance counts inserts, deletes, replacements and swaps", () => {
  const cases: [a: string, b: string, distance: number][] = [
    ["", "", 0],
    ["", "abc", 3],
    ["abc", "", 3],
    ["user", "user", 0],
    ["usr", "user", 1],
    ["suer", "user", 1],
    ["kitten", "sitting", 3],
    ["ca", "abc", 3],
  ];
  for (const [a, b, distance] of cases) assert.equal(editDistance(a, b), distance, `${a} ${b}`);
});

Deno.test("suggest: near words are found, nearest first, far ones are not", () => {
  const commands = ["boot", "halt", "nodes", "nodeset", "uptime", "version"];
  assert.deepEqual(closestWords("ndoes", commands), ["nodes"]);
  assert.deepEqual(closestWords("Uptiem", commands), ["uptime"]);
  assert.deepEqual(closestWords("nodese", commands), ["nodes", "nodeset"]);
  assert.deepEqual(closestWords("nodese", commands, { max: 1 }), ["nodes"]);
  assert.deepEqual(closestWords("x", ["a", "b"]), []);
  assert.deepEqual(closestWords("", commands), []);
  assert.deepEqual(closestWords("n".repeat(65), ["n".repeat(65)]), []);
});

Deno.test("suggest: the sentence ends an error text", () => {
  assert.equal(didYouMean("usr", ["user", "home"]), ', did you mean "user"?');
  assert.equal(didYouMean("nodese", ["nodes", "nodeset"]), ', did you mean "nodes" or "nodeset"?');
  assert.equal(didYouMean("zzz", ["user"]), "");
});
