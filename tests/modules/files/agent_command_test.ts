/** The process that copies, as it is: it stands in the folder that it reads, and says what it saw. */

import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { runAgent } from "../../../modules/files/agent.ts";
import { encodeNeed } from "../../../modules/files/records.ts";
import { Mail, temporaryFolder } from "./scene.ts";

Deno.test("agent command: what changes while it is read is named with its folder, and why", async () => {
  using folder = temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  for (const name of ["a", "log"]) Deno.writeTextFileSync(at(name), "one\n");
  const needs = new Mail<Uint8Array>();
  const input = async function* () {
    yield await needs.next();
  };
  const agent = runAgent({
    env: createRealEnvironment(),
    order: { kind: "read", path: folder.path, name: "", checksum: false, rule: "allow[0]" },
    input: input(),
    stalledMs: 60_000,
    signal: new AbortController().signal,
    onStalled() {},
  });
  let pieces = 0;
  for (;;) {
    const { done, value } = await agent.next();
    if (done) {
      const { files, problems, shown, notes } = value as Record<string, unknown>;
      assert.deepEqual([files, problems, shown, notes], [
        1,
        1,
        [`Could not read "${at("a")}": it does not exist`],
        [`"${at("log")}" has grown while it was read: what is copied are its first 4 B`],
      ]);
      return;
    }
    if (pieces++ > 0) continue;
    // It has listed them, and waits.
    Deno.removeSync(at("a"));
    Deno.writeTextFileSync(at("log"), "two\n", { append: true });
    needs.put(encodeNeed(["need", 0, [0, 1], []]));
  }
});
