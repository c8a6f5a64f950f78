/** What the command line of a copy lacks, in words. */

import assert from "node:assert/strict";
import { runCp } from "../../../modules/files/cp_command.ts";
import type { CommandContext } from "../../../modules/shared/command.ts";

type Options = Parameters<typeof runCp>[1];

/** Nothing of the world is touched before the words are right. */
function cp(words: readonly string[], options: Partial<Options> = {}): Promise<number> {
  return runCp({} as CommandContext, options as Options, words);
}

Deno.test("cp: says that the destination is missing, and how to write it", async () => {
  await assert.rejects(cp(["hosts"]), {
    message: 'Where to copy "hosts" is not said',
    hint: "To nodes: minime cp hosts NODESET:PATH",
  });
  await assert.rejects(cp(["n1:/etc/hosts"]), {
    message: 'Where to copy "n1:/etc/hosts" is not said',
    hint: "To a folder here: minime cp n1:/etc/hosts FOLDER",
  });
});

Deno.test("cp: refuses a time limit that no node would take", async () => {
  await assert.rejects(cp(["hosts", "n1:/etc/"], { timeout: 10 }), {
    name: "UsageError",
    message: "--timeout 10 ms is not from 1 s to 1 d",
  });
});

Deno.test("cp: refuses a path on a node that no kernel would take, counted in bytes", async () => {
  const long = `/srv/${"ä".repeat(2_100)}`;
  const message = `Path "${long.slice(0, 60)}…" has 4205 bytes, and 4095 is the most`;
  for (const words of [["hosts", `n1:${long}`], [`n1:${long}`, "here"]]) {
    await assert.rejects(cp(words), { name: "UsageError", message });
  }
});
