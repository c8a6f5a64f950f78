// Routed conduits over real routers in a simulated mesh: programs, nodes, relays that die.

import assert from "node:assert/strict";
import { CallError, ConnectionError, fromHex, signRequest } from "../../../../core/mod.ts";
import { numbered, takeAll, Taker } from "../../../core/conduit/messages.ts";
import { SEGMENTS } from "../router_world.ts";
import { inMesh } from "./mesh_world.ts";

Deno.test("routed session: a program talks to a node that its daemon cannot dial", async () => {
  await inMesh(SEGMENTS, async (mesh) => {
    const alice = mesh.world.keys.person({ name: "alice", type: "user" });
    const { calls } = await mesh.session(alice, [mesh.get("a1")], mesh.get("b1"));
    const { name } = await calls.request("core.hello") as { name: string };
    assert.equal(name, "b1");
    const call = calls.stream("probe.give", { chunks: 5, bytes: 100_000 });
    let count = 0;
    for await (const item of call) assert.deepEqual(item, numbered(100_000, count++));
    assert.equal(await call.reply, 5);
    assert.equal(count, 5);
  });
});

Deno.test("routed session: a guarded verb streams to who signed for this very session", async () => {
  await inMesh(SEGMENTS, async (mesh) => {
    const { keys } = mesh.world;
    const alice = keys.person({ name: "alice", type: "user" });
    const { calls, session } = await mesh.session(alice, [mesh.get("a1")], mesh.get("b1"));
    const now = mesh.world.simulation.host("desk").clock.now();
    const sign = (bind: string) =>
      signRequest(keys.primitives, {
        meshId: keys.meshId,
        requestId: crypto.getRandomValues(new Uint8Array(16)),
        issuedMs: now,
        expiresMs: now + 5_000,
        targets: { kind: "names", names: ["b1"] },
        bind: fromHex(bind),
        verb: "probe.rm",
        as: "",
        arguments: new Uint8Array(0),
        seed: alice.signSeed,
        chain: alice.identity.chain,
      });
    const call = calls.stream("probe.rm", sign(session), { signed: true });
    await call.send("one");
    await call.send("two");
    await call.end();
    const items: unknown[] = [];
    for await (const item of call) items.push(item);
    assert.deepEqual(items, ["alice: one", "alice: two"]);
    assert.equal(await call.reply, "gone");
    await assert.rejects(
      calls.request("probe.rm", sign("ab".repeat(32)), { signed: true }),
      (error: unknown) => error instanceof CallError && error.class === "refused",
    );
  });
});

Deno.test("routed session: relays freeze one after the other in the middle of streams, and nothing is lost", async () => {
  await inMesh(SEGMENTS, async (mesh) => {
    const alice = mesh.world.keys.person({ name: "alice", type: "user" });
    const [a1, b1] = [mesh.get("a1"), mesh.get("b1")];
    const { calls } = await mesh.session(alice, [a1], b1);
    // Two paths, of which one swallows all that it gets; whichever was taken is left once at least.
    const { simulation } = mesh.world;
    const began = simulation.now;
    const freeze = (names: readonly string[]) => names.forEach((name) => simulation.freeze(name));
    const thaw = (names: readonly string[]) => names.forEach((name) => simulation.thaw(name));
    const give = calls.stream("probe.give", { chunks: 120, bytes: 60_000 });
    const take = calls.stream("probe.take");
    const sending = (async () => {
      for (let i = 0; i < 120; i++) await take.send(numbered(60_000, i));
      await take.end();
    })();
    let count = 0;
    for await (const item of give) {
      assert.deepEqual(item, numbered(60_000, count++));
      if (count === 20) freeze(["g1", "g3"]);
      if (count === 60) {
        thaw(["g1", "g3"]);
        freeze(["g2", "g4"]);
      }
    }
    await sending;
    assert.equal(await give.reply, 120);
    assert.equal(await take.reply, 120);
    assert.equal(count, 120);
    assert.deepEqual(b1.taken, Array.from({ length: 120 }, (_, i) => numbered(60_000, i)));
    thaw(["g2", "g4"]);
    assert.ok(simulation.now - began > 200, "nobody noticed that a relay was frozen");
  });
});

for (const how of ["stops", "freezes"] as const) {
  Deno.test(`routed session: the daemon to which the program is connected ${how}, and the next one carries on`, async () => {
    await inMesh(SEGMENTS, async (mesh) => {
      const alice = mesh.world.keys.person({ name: "alice", type: "user" });
      const [a1, g1, b1] = [mesh.get("a1"), mesh.get("g1"), mesh.get("b1")];
      const { calls, entry } = await mesh.session(alice, [a1, g1], b1);
      assert.equal(entry(), "a1");
      const give = calls.stream("probe.give", { chunks: 60, bytes: 60_000 });
      const take = calls.stream("probe.take");
      const sending = (async () => {
        for (let i = 0; i < 60; i++) await take.send(numbered(60_000, i));
        await take.end();
      })();
      let count = 0;
      let gone: Promise<void> | undefined;
      for await (const item of give) {
        assert.deepEqual(item, numbered(60_000, count++));
        if (count !== 20) continue;
        if (how === "stops") gone = a1.daemon.stop("enough");
        else mesh.world.simulation.freeze("a1");
      }
      await sending;
      assert.deepEqual([count, await give.reply, await take.reply], [60, 60, 60]);
      assert.deepEqual(b1.taken, Array.from({ length: 60 }, (_, i) => numbered(60_000, i)));
      assert.equal(entry(), "g1");
      // Idle for long, it is still there.
      await mesh.world.pass(120_000);
      assert.ok(await calls.request("core.ping"));
      if (how === "freezes") mesh.world.simulation.thaw("a1");
      await gone;
    });
  });
}

Deno.test("routed session: a daemon that refuses to carry is believed, and no other one asked", async () => {
  await inMesh(SEGMENTS, async (mesh) => {
    const alice = mesh.world.keys.person({ name: "alice", type: "user" });
    const [a1, g1, b1] = [mesh.get("a1"), mesh.get("g1"), mesh.get("b1")];
    const keyId = "ab".repeat(32);
    const ghost = Object.assign(Object.create(b1) as typeof b1, {
      self: { ...b1.self, identity: { ...b1.self.identity, keyId } },
    });
    await assert.rejects(mesh.session(alice, [a1, g1], ghost), {
      name: "ConnectionError",
      reason: "no-route",
      message: `Way to mesh:b1 is closed: No node "${keyId}" is known here`,
    });
  });
});

Deno.test("routed session: when no daemon is left it fails, and says so", async () => {
  await inMesh(SEGMENTS, async (mesh) => {
    const alice = mesh.world.keys.person({ name: "alice", type: "user" });
    const [a1, b1] = [mesh.get("a1"), mesh.get("b1")];
    const { calls } = await mesh.session(alice, [a1], b1);
    await a1.daemon.stop("enough");
    const { error } = await calls.done;
    assert.ok(error instanceof ConnectionError, String(error));
    assert.match(error.message, /^(Way to mesh:b1 is closed: No node is left|There was no route)/);
  });
});

Deno.test("routed conduit: nodes reach each other by name, and part in order", async () => {
  await inMesh(SEGMENTS, async (mesh) => {
    const [a1, b1] = [mesh.get("a1"), mesh.get("b1")];
    const conduit = await a1.router.front.dial("mesh:b1");
    assert.ok(conduit.peer.kind === "node" && conduit.peer.identity.name === "b1");
    await assert.rejects(a1.router.front.dial("mesh:nobody"), {
      message: 'No node "nobody" in this mesh',
    });
    const ended = new Taker(conduit).rest();
    await mesh.settle();
    await b1.daemon.stop("enough");
    await ended;
    const { by, text } = await conduit.closed;
    assert.equal(by, "peer");
    assert.equal(text, "daemon stops");
  });
});

Deno.test("routed conduit: one that is made while its node stops ends soon, and is a failure", async () => {
  // It waited for 30 s: the node had not taken it yet, and told it nothing.
  await inMesh(SEGMENTS, async (mesh) => {
    const [a1, b1] = [mesh.get("a1"), mesh.get("b1")];
    const conduit = await a1.router.front.dial("mesh:b1");
    const ended = takeAll(conduit);
    await b1.daemon.stop("enough");
    const { error } = await ended;
    assert.ok(error instanceof ConnectionError && error.reason === "reset", String(error));
  });
});
