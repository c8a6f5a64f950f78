// Two relays that claim a link between them which is not there, and keep what they are trusted with.

import assert from "node:assert/strict";
import { numbered } from "../../../core/conduit/messages.ts";
import { EvilRouter } from "../evil_router.ts";
import type { Plan } from "../router_world.ts";
import { type Foes, inMesh, type Mesh } from "./mesh_world.ts";

/** The only way that seems to stand is over the two liars; the honest gateways would have to dial. */
const SPLIT: Plan = {
  segments: { left: ["a1", "g1", "g2"], right: ["b1", "g3", "g4"] },
  links: [["a1", "g1"], ["a1", "g2"], ["g3", "b1"], ["g4", "b1"]],
};
const CHUNKS = 40;

function foes(lies: Foes["lies"]): Foes & { swallowed: () => number } {
  const routers = { g1: new EvilRouter(), g3: new EvilRouter() };
  return { routers, lies, swallowed: () => routers.g1.swallowed + routers.g3.swallowed };
}

/** A session streams both ways, and each end has what the other one sent: all, once, in order. */
async function streams(mesh: Mesh): Promise<void> {
  const alice = mesh.world.keys.person({ name: "alice", type: "user" });
  const b1 = mesh.get("b1");
  const { calls } = await mesh.session(alice, [mesh.get("a1")], b1);
  const give = calls.stream("probe.give", { chunks: CHUNKS, bytes: 60_000 });
  const take = calls.stream("probe.take");
  const sending = (async () => {
    for (let i = 0; i < CHUNKS; i++) await take.send(numbered(60_000, i));
    await take.end();
  })();
  let count = 0;
  for await (const item of give) assert.deepEqual(item, numbered(60_000, count++));
  await sending;
  assert.deepEqual([count, await give.reply, await take.reply], [CHUNKS, CHUNKS, CHUNKS]);
  assert.deepEqual(b1.taken, Array.from({ length: CHUNKS }, (_, i) => numbered(60_000, i)));
}

Deno.test("colluders: what they are trusted with goes around them soon, and nothing of theirs is believed", async () => {
  const both = foes([["g1", "g3"], ["g3", "g1"]]);
  await inMesh(SPLIT, async (mesh) => {
    const began = mesh.world.simulation.now;
    await streams(mesh);
    assert.ok(both.swallowed() > 0, "nobody was led astray");
    const ms = mesh.world.simulation.now - began;
    assert.ok(ms < 5_000, `${ms} ms`);
  }, both);
});

Deno.test("colluders: where there is no other way the dial ends, and says what it met", async () => {
  const both = foes([["g1", "g3"], ["g3", "g1"]]);
  const lonely: Plan = {
    segments: { left: ["a1", "g1"], right: ["b1", "g3"] },
    links: [["a1", "g1"], ["g3", "b1"]],
  };
  await inMesh(lonely, async (mesh) => {
    const alice = mesh.world.keys.person({ name: "alice", type: "user" });
    const began = mesh.world.simulation.now;
    await assert.rejects(mesh.session(alice, [mesh.get("a1")], mesh.get("b1")), {
      name: "ConnectionError",
      message: /mesh:b1/,
    });
    const ms = mesh.world.simulation.now - began;
    assert.ok(ms < 30_000, `${ms} ms`);
  }, both);
});

Deno.test("colluders: a link that the other end denies is not on anybody's way", async () => {
  const one = { ...foes([["g1", "g3"]]), routers: { g1: new EvilRouter() } };
  const linked = { ...SPLIT, links: [...SPLIT.links, ["g2", "g4"] as const] };
  await inMesh(linked, async (mesh) => {
    await streams(mesh);
    assert.equal(one.routers.g1.swallowed, 0);
  }, one);
});
