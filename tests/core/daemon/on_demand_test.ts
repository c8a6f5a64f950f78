import assert from "node:assert/strict";
import * as v from "valibot";
import { Calls, verb } from "../../../core/mod.ts";
import { InternalFront } from "../../../core/conduit/internal.ts";
import { inWorld } from "./world.ts";

const VERBS = {
  who: verb({
    action: "link",
    args: v.optional(v.unknown()),
    reply: v.string(),
    handle: (_args, { peer }) =>
      peer.kind === "node" ? `${peer.identity.name}, ${peer.onDemand}` : peer.kind,
  }),
};

Deno.test("on demand: what was dialled for some messages is no link, at either end", async () => {
  await inWorld(async (world) => {
    const [n1, n2] = [
      await world.start("n1", { verbs: VERBS }),
      await world.start("n2", { verbs: VERBS }),
    ];
    const conduit = await n1.host.onDemand.dial(n2.endpoint, { expect: { name: "n2" } });
    assert.equal(await conduit.request("probe.who"), "n1, true");
    await world.pass(5);
    const back = n2.host.onDemand.get(n1.self.identity.keyId);
    assert.equal(await back?.request("probe.who"), "n2, true");
    assert.deepEqual([n1.host.links.list(), n2.host.links.list()], [[], []]);
    assert.deepEqual([n1.changes, n2.changes], [[], []]);
    const link = await world.dial(n1, n2);
    assert.equal(await link.request("probe.who"), "n1, false");
    assert.deepEqual([n1.changes, n2.changes], [["up n2"], ["up n1"]]);
    await conduit.close("idle");
    await world.pass(5);
    assert.deepEqual([n1.host.onDemand.list(), n2.host.onDemand.list()], [[], []]);
    assert.deepEqual(n1.host.links.list().length, 1);
  });
});

Deno.test("on demand: has a bulk half of its own, opened from either end", async () => {
  await inWorld(async (world) => {
    const [n1, n2] = [
      await world.start("n1", { verbs: VERBS }),
      await world.start("n2", { verbs: VERBS }),
    ];
    const there = await n1.host.onDemand.dial(n2.endpoint);
    await world.pass(5);
    const back = n2.host.onDemand.get(n1.self.identity.keyId)!;
    for (const [one, from] of [[back, "n2"], [there, "n1"]] as const) {
      assert.equal(await (await one.bulk()).request("probe.who"), `${from}, true`);
    }
    assert.deepEqual([n1.host.links.list(), n2.host.links.list()], [[], []]);
  });
});

Deno.test("on demand: a twin of a linked node is refused there too", async () => {
  await inWorld(async (world) => {
    const [n1, n2] = [await world.start("n1"), await world.start("n2")];
    const twin = await world.start("twin", { self: n2.self });
    await world.dial(n1, n2);
    await assert.rejects(
      twin.host.onDemand.dial(n1.endpoint),
      /Key of "n2" is in use by another daemon/,
    );
  });
});

Deno.test("adopt: a conduit that a module made is served, and ends with the daemon", async () => {
  await inWorld(async (world) => {
    const n1 = await world.start("n1", { verbs: VERBS });
    const front = new InternalFront();
    await front.listen("internal:made", (conduit) => n1.host.adopt(conduit));
    const { clock } = n1.host.env;
    const calls = new Calls({ conduit: front.dialNow("internal:made", "x"), clock, dialled: true });
    assert.equal(await calls.request("probe.who"), "internal");
    await n1.daemon.stop("test");
    assert.equal((await calls.done).text, "test");
  });
});
