/** Who wants to be revived shows the mesh's PSK, as anybody can who was ever a node: nobody keeps others out. */

import assert from "node:assert/strict";
import * as v from "valibot";
import {
  JOINER_CONDUITS_MAX,
  JOINER_MS_MAX,
  JOINER_SILENT_MS_MAX,
  USER_REQUESTS_PER_SECOND_MAX,
} from "../../../core/limits.ts";
import { dialRegistrar, type MeshSecret, verb } from "../../../core/mod.ts";
import { inWorld, type World, type WorldNode } from "./world.ts";

async function registrar(world: World): Promise<WorldNode> {
  const revive = verb({
    action: "join",
    args: v.unknown(),
    reply: v.string(),
    handle: () => "revived",
  });
  const node = await world.start("n1", { verbs: { revive } });
  node.host.reviving();
  return node;
}

function dial(world: World, to: WorldNode, key: number) {
  const { keys, simulation } = world;
  const [secret] = keys.trust().secrets;
  return dialRegistrar(simulation.host("desk"), keys.primitives, {
    rootPublicKey: keys.rootPublicKey,
    name: "n9",
    secret: secret as MeshSecret,
    keys: {
      signSeed: new Uint8Array(32).fill(key),
      dhSecret: new Uint8Array(32).fill(key + 100),
    },
    endpoint: to.endpoint,
    expect: { name: to.name },
    signal: new AbortController().signal,
  });
}

Deno.test("joiners: who is silent gives way, first whoever was silent for longest, and soon leaves", async () => {
  await inWorld(async (world) => {
    const n1 = await registrar(world);
    const silent = [];
    while (silent.length < JOINER_CONDUITS_MAX) silent.push(await dial(world, n1, 1));
    await silent[0]?.request("probe.revive");
    const late = await dial(world, n1, 2);
    assert.equal(await late.request("probe.revive"), "revived");
    assert.equal((await silent[1]?.done)?.text, "somebody else needs the place");
    assert.equal(await silent[0]?.request("probe.revive"), "revived");
    await world.pass(2 * JOINER_SILENT_MS_MAX);
    for (const calls of [...silent.slice(2), late]) {
      assert.equal((await calls.done).text, "nothing was asked for");
    }
  });
});

Deno.test("joiners: what one of them asks is not counted for another one", async () => {
  await inWorld(async (world) => {
    const n1 = await registrar(world);
    const [loud, quiet] = [await dial(world, n1, 1), await dial(world, n1, 2)];
    const asked = Array.from(
      { length: 2 * USER_REQUESTS_PER_SECOND_MAX },
      () => loud.request("probe.revive"),
    );
    const results = await Promise.allSettled(asked);
    assert.ok(results.some(({ status }) => status === "rejected"));
    assert.equal(await quiet.request("probe.revive"), "revived");
    for (const calls of [loud, quiet]) await calls.close("done");
  });
});

Deno.test("joiners: nobody keeps a place by an answer that does not come", async () => {
  await inWorld(async (world) => {
    const slow = verb({
      action: "join",
      args: v.unknown(),
      reply: v.string(),
      handle: (_args, { signal }) =>
        new Promise<string>((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    });
    const n1 = await world.start("n1", { verbs: { slow } });
    n1.host.reviving();
    const joiner = await dial(world, n1, 1);
    const asked = joiner.request("probe.slow", {}, { deadlineMs: 10 * JOINER_MS_MAX });
    asked.catch(() => {});
    await world.pass(JOINER_MS_MAX);
    assert.equal((await joiner.done).text, "this took too long");
    await assert.rejects(asked, /this took too long/);
  });
});
