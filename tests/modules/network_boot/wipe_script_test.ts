/** What wipe tells a host, and what it understands of the answer. */

import assert from "node:assert/strict";
import { parseWipeAnswer, wipeScript } from "../../../modules/network_boot/wipe_script.ts";

Deno.test("wipe: the last line of ours is the answer", () => {
  assert.deepEqual(parseWipeAnswer(["hello", "MINIME-WIPE stopped 12"]), {
    word: "stopped",
    detail: "12",
  });
  assert.deepEqual(parseWipeAnswer(["MINIME-WIPE left rm: cannot remove 'x'", "bye"]), {
    word: "left",
    detail: "rm: cannot remove 'x'",
  });
  assert.equal(parseWipeAnswer(["MINIME-WIPE toString 1", "MINIME-WIPE", "wiped"]), undefined);
});

Deno.test("wipe: a name is one word of the shell, and the grace is whole seconds", () => {
  const question = { mesh: "lab", node: "n1", home: "/a b", binary: true, graceMs: 1_500 };
  assert.deepEqual(wipeScript(question).split("\n").slice(0, 5), [
    "mesh=lab",
    "node=n1",
    "home='/a b'",
    "binary=yes",
    "grace=2",
  ]);
});
