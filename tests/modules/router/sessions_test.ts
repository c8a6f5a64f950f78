import assert from "node:assert/strict";
import { SESSION_IDLE_MS } from "../../../modules/router/limits.ts";
import { routed } from "./router_world.ts";

const LINE = {
  segments: { left: ["a1", "g1"], right: ["g2", "b1"] },
  links: [["a1", "g1"], ["g1", "g2"], ["g2", "b1"]],
} as const;

Deno.test("sessions: a module calls any node; calls share one conduit, which is closed when idle", async () => {
  await routed(LINE, async (mesh) => {
    const { verbs } = mesh.get("a1");
    const ask = (node: string) => verbs.request("router.call", { node, verb: "core.hello" });
    const answers = await Promise.all([ask("b1"), ask("b1"), ask("b1")]);
    assert.deepEqual(answers.map((one) => (one as { name: string }).name), ["b1", "b1", "b1"]);
    assert.equal((await mesh.stats("a1")).carriers, 1);
    await mesh.world.pass(SESSION_IDLE_MS - 1_000);
    await ask("b1");
    await mesh.world.pass(SESSION_IDLE_MS - 1_000);
    assert.equal((await mesh.stats("a1")).carriers, 1);
    await mesh.world.pass(15_000);
    assert.equal((await mesh.stats("a1")).carriers, 0);
    await ask("b1");
  });
});

Deno.test("sessions: failures are those of the verb, or say why the node cannot be reached", async () => {
  await routed(LINE, async (mesh) => {
    const { verbs } = mesh.get("a1");
    const ask = (node: string, verb: string) => verbs.request("router.call", { node, verb });
    await assert.rejects(ask("b1", "core.nothing"), /Nothing here executes "core.nothing"/);
    await assert.rejects(ask("b1", "core.shutdown"), /needs a request signed by a user/);
    await assert.rejects(ask("b1", "core.execute"), /is of class internal; node "a1" may not/);
    await assert.rejects(ask("nobody", "core.hello"), /No node "nobody" is known here/);
    await assert.rejects(ask("a1", "core.hello"), /need no router/);
    await mesh.get("g2").node.daemon.stop("gone");
    await mesh.settle();
    await assert.rejects(
      verbs.request("router.call", { node: "b1", verb: "core.hello" }, { deadlineMs: 60_000 }),
      /mesh:b1|Connection is gone/,
    );
  });
});
