import assert from "node:assert/strict";
import { UsageError } from "../../../core/errors.ts";
import type { NODES, OptionsOf } from "../../../modules/shared/command.ts";
import { readSelection, sourceOf } from "../../../modules/shared/node_selection.ts";
import { makePlace } from "./place.ts";

const source = sourceOf([
  { name: "n1", groups: ["io"] },
  { name: "n2", groups: ["io", "web"] },
  { name: "n3", groups: [] },
  { name: "n10", groups: [] },
]);
type Given = OptionsOf<typeof NODES>;
const NOTHING: Given = { nodes: [], exclude: [], group: [], all: false };
const stdinOf = (text: string) => ({ text: () => Promise.resolve(text) });

/** "FILE" stands for a file with the text `parts.file`. */
async function select(
  options: Partial<Given>,
  parts: { stdin?: string; file?: string } = {},
): Promise<string[]> {
  using place = makePlace();
  const file = `${place.folder}/nodes`;
  if (parts.file !== undefined) Deno.writeTextFileSync(file, parts.file);
  const inFolder = (sets: readonly string[]) => sets.map((set) => set.replace("FILE", file));
  const given = { ...NOTHING, ...options };
  const selection = await readSelection({ env: place.env, stdin: stdinOf(parts.stdin ?? "") }, {
    ...given,
    nodes: inFolder(given.nodes),
    exclude: inFolder(given.exclude),
  });
  try {
    return selection.names(source);
  } catch (error) {
    if (error instanceof UsageError) error.message = error.message.replaceAll(file, "FILE");
    throw error;
  }
}

Deno.test("node selection: nothing named means all nodes, and says that nothing was named", async () => {
  assert.deepEqual(await select({}), ["n1", "n2", "n3", "n10"]);
  using place = makePlace();
  const needs = { env: place.env, stdin: stdinOf("") };
  assert.equal((await readSelection(needs, NOTHING)).given, false);
  assert.equal((await readSelection(needs, { ...NOTHING, exclude: ["n1"] })).given, false);
  assert.equal((await readSelection(needs, { ...NOTHING, all: true })).given, true);
});

Deno.test("node selection: -w, -g and -a add up, -x takes away at the end", async () => {
  assert.deepEqual(await select({ nodes: ["n3", "n10"] }), ["n3", "n10"]);
  assert.deepEqual(await select({ nodes: ["n3"], group: ["io"] }), ["n1", "n2", "n3"]);
  assert.deepEqual(await select({ group: ["@web"] }), ["n2"]);
  assert.deepEqual(await select({ exclude: ["@io", "n3"] }), ["n10"]);
  assert.deepEqual(await select({ nodes: ["n[1-3]"], exclude: ["n2"] }), ["n1", "n3"]);
  assert.deepEqual(await select({ all: true, nodes: ["n1"] }), ["n1", "n2", "n3", "n10"]);
});

Deno.test("node selection: files hold one set a line, with comments; so does stdin", async () => {
  const file = "# the lab\nn[1-2]\n\n  n3   # spare\n";
  assert.deepEqual(await select({ nodes: ["^FILE"] }, { file }), ["n1", "n2", "n3"]);
  assert.deepEqual(await select({ exclude: ["^FILE"] }, { file }), ["n10"]);
  assert.deepEqual(await select({ nodes: ["-", "n10"] }, { stdin: "n1 n2\n" }), [
    "n1",
    "n2",
    "n10",
  ]);
});

Deno.test("node selection: what cannot be read is named with its place", async () => {
  await assert.rejects(
    select({ nodes: ["^"] }),
    new UsageError('"^" must be followed by the name of a file'),
  );
  await assert.rejects(select({ nodes: ["^/nowhere"] }), {
    message: 'Cannot read nodes from file "/nowhere"',
  });
  await assert.rejects(select({ nodes: ["^FILE"] }, { file: "n1\nn[1-\n" }), {
    message: /^FILE:2: Cannot read nodeset "n\[1-": /,
  });
  await assert.rejects(select({ nodes: ["-"] }, { stdin: "n1!!" }), {
    message: /^stdin:1: Cannot read/,
  });
  await assert.rejects(select({ group: ["oi"] }), {
    message: /There is no group "oi", did you mean "io"\?/,
  });
});
