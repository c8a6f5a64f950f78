import assert from "node:assert/strict";
import { Calls } from "../../../core/mod.ts";
import { NEWS_MS_MAX } from "../../../modules/router/limits.ts";
import { routed, type RouterWorld, SEGMENTS } from "./router_world.ts";

async function dial(mesh: RouterWorld, from: string, to: string): Promise<Calls> {
  const conduit = await mesh.get(from).router.front.dial(`mesh:${to}`);
  const { clock } = mesh.get(from).node.host.env;
  return new Calls({ conduit, clock, dialled: true });
}

Deno.test("routed conduit: calls go to a node of another segment and back", async () => {
  await routed(SEGMENTS, async (mesh) => {
    const calls = await dial(mesh, "a1", "b1");
    const hello = await calls.request("core.hello") as { name: string };
    assert.equal(hello.name, "b1");
    // It is no link, at neither end.
    assert.equal(mesh.get("b1").node.host.links.get(mesh.get("a1").keyId), undefined);
    await calls.close("done");
    await mesh.world.pass(10_000);
    for (const name of ["a1", "b1"]) assert.equal((await mesh.stats(name)).carriers, 0);
    await assert.rejects(dial(mesh, "a1", "nobody"), /No node "nobody" in this mesh/);
  });
});

Deno.test("routed conduit: outlives every relay that dies, and no call is lost or done twice", async () => {
  await routed(SEGMENTS, async (mesh) => {
    const calls = await dial(mesh, "a1", "b1");
    const answers: string[] = [];
    const ask = async () => {
      answers.push((await calls.request("core.hello") as { name: string }).name);
    };
    const before = (await mesh.get("b1").node.daemon.caller("core").request("core.stats") as {
      served: number;
    }).served;
    const asking: Promise<void>[] = [];
    for (const [i, dying] of ["g1", "g3"].entries()) {
      for (let n = 0; n < 20; n++) {
        asking.push(ask());
        await mesh.world.pass(1);
      }
      mesh.kill(dying);
      assert.ok(asking.length === 20 * (i + 1));
    }
    await Promise.all(asking);
    assert.deepEqual(answers, Array(40).fill("b1"));
    await calls.close("done");
    const after = (await mesh.get("b1").node.daemon.caller("core").request("core.stats") as {
      served: number;
    }).served;
    assert.ok(after - before >= 40);
  });
});

Deno.test("routed conduit: a relay that is frozen is gone around before anybody calls it dead", async () => {
  await routed(SEGMENTS, async (mesh) => {
    const calls = await dial(mesh, "a1", "b1");
    await calls.request("core.hello");
    const on = mesh.names(mesh.get("a1").router.openCarrier("b1", { class: "high" }).path);
    const frozen = on.split(" ")[1] as string;
    mesh.simulation.freeze(frozen);
    const began = mesh.simulation.now;
    assert.equal((await calls.request("core.hello") as { name: string }).name, "b1");
    assert.ok(mesh.simulation.now - began < 5_000, `${mesh.simulation.now - began} ms`);
    mesh.simulation.thaw(frozen);
    await calls.close("done");
  });
});

Deno.test("routed conduit: a daemon that stops says goodbye over relays, and does not linger", async () => {
  await routed(SEGMENTS, async (mesh) => {
    const calls = await dial(mesh, "a1", "b1");
    await calls.request("core.hello");
    const began = mesh.simulation.now;
    await mesh.get("b1").node.daemon.stop("enough");
    assert.ok(mesh.simulation.now - began < 1_000, `${mesh.simulation.now - began} ms`);
    const { by, error } = await calls.done;
    assert.deepEqual([by, error], ["peer", undefined]);
  });
});

// Its pipes lingered on when the keys had gone, and what their timers threw ended the daemon.
Deno.test("routed conduit: a daemon whose peers are silent stops in time, and nothing lingers behind it", async () => {
  await routed(SEGMENTS, async (mesh) => {
    for (let i = 0; i < 3; i++) await (await dial(mesh, "a1", "b1")).request("core.hello");
    const { node, router } = mesh.get("b1");
    mesh.simulation.freeze("a1");
    await node.daemon.stop("enough");
    assert.deepEqual(node.logged.filter((line) => line.includes("did not stop")), []);
    const stopped = mesh.simulation.now;
    await router.front.settled();
    assert.equal(mesh.simulation.now, stopped);
    mesh.simulation.thaw("a1");
  });
});

Deno.test("routed conduit: to a node that went away it fails, and says so", async () => {
  await routed(SEGMENTS, async (mesh) => {
    const calls = await dial(mesh, "a1", "b1");
    mesh.kill("b1");
    await assert.rejects(calls.request("core.hello", {}, { deadlineMs: 0 }), /mesh:b1|route/);
    const { by, text } = await calls.done;
    assert.equal(by, "failure");
    assert.match(text, /30 s/);
  });
});

Deno.test("routed conduit: ends as soon as its node was started again, and a new one is there at once", async () => {
  await routed(SEGMENTS, async (mesh) => {
    const calls = await dial(mesh, "a1", "b1");
    const idle = await dial(mesh, "a1", "b1");
    await mesh.world.pass(NEWS_MS_MAX);
    const asking = assert.rejects(
      calls.request("core.hello", {}, { deadlineMs: 0 }),
      /"b1" was started again/,
    );
    mesh.kill("b1");
    await mesh.world.pass(3_000);
    const began = mesh.simulation.now;
    await mesh.start("b1", "right");
    await mesh.link("g3", "b1");
    await mesh.link("g4", "b1");
    await asking;
    assert.match((await idle.done).text, /"b1" was started again/);
    const again = await dial(mesh, "a1", "b1");
    assert.equal((await again.request("core.hello") as { name: string }).name, "b1");
    assert.ok(mesh.simulation.now - began < 2_000, `${mesh.simulation.now - began} ms`);
    await again.close("done");
  });
});

// The word of a restart ended conduits that were made with the new life before it had come.
Deno.test("routed conduit: with a new life of its node it outlives the late word of that life", async () => {
  for (const lateMs of [0, 100, 1_000, 4_000, 9_000]) {
    await routed(SEGMENTS, async (mesh) => {
      const restart = async () => {
        mesh.kill("b1");
        await mesh.start("b1", "right");
        for (const gateway of ["g3", "g4"]) await mesh.link(gateway, "b1");
      };
      // Every second time nobody hears of it before the next one.
      for (const isHeard of [false, true]) {
        mesh.board.freeze();
        await restart();
        if (!isHeard) continue;
        const calls = await dial(mesh, "a1", "b1");
        await mesh.world.pass(lateMs);
        mesh.board.thaw();
        await mesh.world.pass(60_000);
        assert.equal((await calls.request("core.hello") as { name: string }).name, "b1");
        await restart();
        assert.match((await calls.done).text, /"b1" was started again/);
      }
    });
  }
});
