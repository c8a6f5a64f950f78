import assert from "node:assert/strict";
import * as v from "valibot";
import { JournalMemory, verb } from "../../../core/mod.ts";
import { inWorld, type World } from "./world.ts";

/** The node's next life; `ran` counts what it executes. */
function startLife(world: World, self: ReturnType<World["keys"]["person"]>, options: {
  readonly journal: JournalMemory;
  readonly ran: string[];
}) {
  const run = verb({
    action: "guarded",
    args: v.optional(v.unknown()),
    reply: v.string(),
    handle: () => {
      options.ran.push("ran");
      return "done";
    },
  });
  const requestsSinceMs = world.simulation.host("n1").clock.now();
  const { journal } = options;
  return world.start("n1", { self, verbs: { run }, remembers: { journal, requestsSinceMs } });
}

Deno.test("next life: what ran from a clock ahead of ours is not run again by the next program", async () => {
  await inWorld(async (world) => {
    const { clock } = world.simulation.host("n1");
    const self = world.keys.person({ name: "n1" });
    const user = world.keys.person({ name: "alice", type: "user" });
    const ran: string[] = [];
    const now = () => clock.now();
    const first = new JournalMemory({ now });
    const before = await startLife(world, self, { journal: first, ran });
    const request = world.keys.sign(user, { verb: "probe.run", issuedMs: now() + 10_000 });
    const client = await world.client(before, user);
    assert.equal(await client.request("probe.run", request, { signed: true }), "done");
    await before.daemon.stop("upgrade");

    const journal = new JournalMemory({ now, earlier: first.records });
    const after = await startLife(world, self, { journal, ran });
    const again = await world.client(after, user);
    await assert.rejects(again.request("probe.run", request, { signed: true }), {
      class: "failed",
      detail: { ran: true },
    });
    assert.deepEqual(ran, ["ran"]);
  });
});
