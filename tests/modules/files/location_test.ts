/** What users write as places of a copy. */

import assert from "node:assert/strict";
import * as fc from "fast-check";
import { nameOf, remoteOf } from "../../../modules/files/location.ts";

Deno.test("location: nodes are what stands before a colon that comes before any slash", () => {
  const cases: [text: string, nodes: string, path: string][] = [
    ["n1:/tmp", "n1", "/tmp"],
    ["n[1-64]:/etc/", "n[1-64]", "/etc/"],
    ["@compute,!n3:a b", "@compute,!n3", "a b"],
    ["n1:", "n1", ""],
    [":/tmp", "", "/tmp"],
    ["n1:a:b", "n1", "a:b"],
    ["*:~/x", "*", "~/x"],
  ];
  for (const [text, nodes, path] of cases) assert.deepEqual(remoteOf(text), { nodes, path });
  for (const local of ["file", "./a:b", "/tmp/a:b", "a/b:c", "", ".", "../x:y"]) {
    assert.equal(remoteOf(local), undefined, local);
  }
});

Deno.test("location: no path with ./ before it is ever taken for nodes", () => {
  fc.assert(fc.property(fc.string(), (name) => remoteOf(`./${name}`) === undefined));
});

Deno.test("location: what is copied keeps its last name, unless only its contents are meant", () => {
  const cases: [path: string, name: string][] = [
    ["a", "a"],
    ["/x/a", "a"],
    ["dir/", "dir"],
    ["dir//", "dir"],
    ["dir/.", ""],
    [".", ""],
    ["..", ""],
    ["a/..", ""],
    ["/", ""],
    ["", ""],
    ["~", ""],
    ["~/a", "a"],
    ["...", "..."],
  ];
  for (const [path, name] of cases) assert.equal(nameOf(path), name, path);
});
