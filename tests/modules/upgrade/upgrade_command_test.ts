import assert from "node:assert/strict";
import { runUpgrade } from "../../../modules/upgrade/upgrade_command.ts";
import { knownNode, runCommand } from "../group/command_line.ts";
import { startMesh } from "../group/daemons.ts";

Deno.test("upgrade: a node that only the home knows is not up, like one that is down", async () => {
  await using mesh = await startMesh(["n1"]);
  const file = await Deno.makeTempFile({ prefix: "minime-upgrade-" });
  try {
    const options = { binary: file, exclude: [], group: [], all: false, fanout: 1, json: false };
    const { code, stderr } = await runCommand(
      mesh,
      (context) => runUpgrade(context, { ...options, nodes: ["n1,m4"] }),
      { known: [knownNode("m4")] },
    );
    assert.equal(code, 2);
    assert.match(stderr, /^m4 is not up\n/);
  } finally {
    await Deno.remove(file);
  }
});
