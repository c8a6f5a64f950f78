import assert from "node:assert/strict";
import { runLog } from "../../../modules/log/log_command.ts";
import { knownNode, runCommand } from "../group/command_line.ts";
import { startMesh } from "../group/daemons.ts";

Deno.test("log: a node that only the home knows is unreachable for who names it", async () => {
  await using mesh = await startMesh(["n1"]);
  const options = { exclude: [], group: [], follow: false, lines: 10, json: false } as const;
  const { code, stdout, stderr } = await runCommand(
    mesh,
    (context) =>
      runLog(context, {
        ...options,
        nodes: ["m4"],
        all: false,
        name: undefined,
        level: "info",
        since: undefined,
      }),
    { known: [knownNode("m4")] },
  );
  assert.deepEqual([code, stdout], [3, ""]);
  assert.match(stderr, /^m4: unreachable: Not seen since "n1" started \(.*nothing was run\)\n$/);
});
