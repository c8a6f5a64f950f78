import assert from "node:assert/strict";
import { type Link, PRIORITY } from "../../../core/mod.ts";
import { BULK_SHARES, REFUSALS_PER_SECOND_MAX } from "../../../modules/router/limits.ts";
import {
  PACKET_KIND,
  writeEcho,
  writeHeader,
  writePacket,
} from "../../../modules/router/packet.ts";
import type { RouterWorld } from "./router_world.ts";
import { packetOf, routed } from "./router_world.ts";

const LINE = {
  segments: { main: ["n1", "n2", "n3", "n4"] },
  links: [["n1", "n2"], ["n2", "n3"], ["n3", "n4"]],
} as const;
const STREAM = new Uint8Array(8).fill(9);
const BIG = 60_000;

function keys(mesh: RouterWorld, names: readonly string[]): string[] {
  return names.map((name) => mesh.get(name).keyId);
}

function data(
  path: readonly string[],
  options: { readonly body?: Uint8Array; readonly class?: "low" | "high"; stream?: Uint8Array } =
    {},
): Uint8Array {
  const header = writeHeader({
    kind: PACKET_KIND.data,
    class: options.class ?? "low",
    priority: PRIORITY.bulk,
    stream: options.stream ?? STREAM,
    path,
  });
  return writePacket(header, options.body ?? packetOf("x"), PRIORITY.bulk);
}

function linkOf(mesh: RouterWorld, from: string, to: string): Link {
  return mesh.get(from).node.host.links.get(mesh.get(to).keyId) as Link;
}

Deno.test("transit: what no honest router sends is counted, and nothing comes of it", async () => {
  await routed(LINE, async (mesh) => {
    const evil = linkOf(mesh, "n1", "n2");
    const stranger = "ab".repeat(32);
    const bad: Uint8Array[] = [
      new Uint8Array(0),
      new Uint8Array(70_000),
      // Not from who is before us in the path, and not for us.
      data(keys(mesh, ["n4", "n2", "n3"])),
      data(keys(mesh, ["n1", "n3", "n4"])),
      data([stranger, ...keys(mesh, ["n2"])]),
      data(keys(mesh, ["n2", "n1", "n3"])),
    ];
    const loop = data(keys(mesh, ["n1", "n2", "n3", "n4"]));
    loop.set(loop.subarray(13, 45), 13 + 64);
    bad.push(loop);
    const long = data(keys(mesh, ["n1", "n2"])).slice();
    long[4] = 200;
    bad.push(long);
    for (const bytes of bad) {
      await evil.tell("router.forward", bytes, PRIORITY.normal);
      await assert.rejects(evil.request("router.forward", bytes), /[Pp]acket|malformed/);
    }
    const { malformed, received, forwarded } = await mesh.stats("n2");
    assert.deepEqual([malformed, received, forwarded], [2 * bad.length, 0, 0]);
    await assert.rejects(evil.request("router.forward", "text"), /are wrong/);
    assert.deepEqual(mesh.get("n2").node.state, "running");
  });
});

Deno.test("transit: class low does not come by a conduit on demand", async () => {
  await routed(LINE, async (mesh) => {
    const [n1, n3] = [mesh.get("n1"), mesh.get("n3")];
    const conduit = await n1.node.host.onDemand.dial(n3.node.endpoint);
    await assert.rejects(
      conduit.request("router.forward", data(keys(mesh, ["n1", "n3", "n4"]))),
      /must come by a standing link/,
    );
  });
});

Deno.test("transit: a router dials for others only whom it may dial itself", async () => {
  const plan = {
    segments: { left: ["a1", "a2"], right: ["b1"] },
    links: [["a1", "a2"], ["a2", "b1"]],
  } as const;
  await routed(plan, async (mesh) => {
    await linkOf(mesh, "a2", "b1").close("cut");
    await mesh.settle();
    const path = keys(mesh, ["a1", "a2", "b1"]);
    await linkOf(mesh, "a1", "a2").tell("router.forward", data(path, { class: "high" }));
    await mesh.settle();
    const { dials, refused, forwarded } = await mesh.stats("a2");
    assert.deepEqual([dials, refused, forwarded], [0, 1, 1]);
    const unknown = [...path.slice(0, 2), "cd".repeat(32)];
    await linkOf(mesh, "a1", "a2").tell("router.forward", data(unknown, { class: "high" }));
    await mesh.settle();
    assert.equal((await mesh.stats("a2")).dials, 0);
  });
});

Deno.test("transit: packets of streams that nobody knows are strays and cost nothing", async () => {
  await routed(LINE, async (mesh) => {
    const stale = data(keys(mesh, ["n1", "n2"]), { body: new Uint8Array(100) });
    for (let i = 0; i < 50; i++) await linkOf(mesh, "n1", "n2").tell("router.forward", stale);
    await mesh.settle();
    const { strays, carriers } = await mesh.stats("n2");
    assert.deepEqual([strays, carriers], [50, 0]);
  });
});

Deno.test("transit: a flood for a hop that takes nothing is bounded, refused, and harms no other", async () => {
  await routed(LINE, async (mesh) => {
    mesh.simulation.freeze("n3");
    const evil = linkOf(mesh, "n1", "n2");
    const path = keys(mesh, ["n1", "n2", "n3", "n4"]);
    const body = new Uint8Array(BIG);
    const floods = REFUSALS_PER_SECOND_MAX / 10;
    for (let i = 0; i < floods; i++) {
      const stream = new Uint8Array(8);
      new DataView(stream.buffer).setUint32(0, i);
      await evil.tell("router.forward", data(path, { body, stream }), PRIORITY.normal);
    }
    await mesh.settle();
    const { waitingBytes, waitingPackets, refused, forwarded, dropped } = await mesh.stats("n2");
    assert.ok(waitingBytes! <= BULK_SHARES.hopSource);
    assert.ok(waitingPackets! < BULK_SHARES.hopSource / BIG);
    assert.equal(forwarded! + refused!, floods);
    // Everybody was told.
    assert.equal(dropped, 0);
    // The other direction is as free as ever.
    const back = mesh.get("n2").router.openCarrier("n1", { class: "low" });
    await back.send(packetOf("free"), PRIORITY.bulk);
    await mesh.settle();
    assert.deepEqual(mesh.get("n1").arrived, ["free"]);
    mesh.simulation.thaw("n3");
  });
});

Deno.test("transit: a ping overtakes the bulk that waits at every node on its way", async () => {
  await routed(LINE, async (mesh) => {
    // The last link is narrow: bulk piles up before it.
    mesh.simulation.link("n3", "n4", { bytesPerMs: 2_000 });
    const carriers = [0, 1, 2].map(() => mesh.get("n1").router.openCarrier("n4", { class: "low" }));
    const sent: Promise<void>[] = [];
    for (let i = 0; i < 30; i++) {
      for (const each of carriers) sent.push(each.send(new Uint8Array(BIG).fill(1), PRIORITY.bulk));
    }
    await mesh.world.pass(100);
    const { waitingPackets } = await mesh.stats("n3");
    assert.ok(waitingPackets! > 40, `${waitingPackets} wait`);
    const before = mesh.get("n4").arrived.length;
    const trace = await mesh.get("n1").router.trace("n4", {
      class: "low",
      timeoutMs: 10_000,
      signal: new AbortController().signal,
    });
    assert.ok(trace.ms !== null);
    // Only what the simulated kernel had in its buffer already came before it.
    const overtook = mesh.get("n4").arrived.length - before;
    assert.ok(overtook < 10, `${overtook} packets of bulk came first`);
    assert.ok((await mesh.stats("n3")).waitingPackets! > 30);
    await Promise.all(sent);
  });
});

Deno.test("transit: streams through one relay share it, whoever sends more", async () => {
  await routed(LINE, async (mesh) => {
    mesh.simulation.link("n3", "n4", { bytesPerMs: 2_000 });
    const greedy = mesh.get("n1").router.openCarrier("n4", { class: "low" });
    const modest = mesh.get("n2").router.openCarrier("n4", { class: "low" });
    const sends = Array.from(
      { length: 30 },
      () => greedy.send(packetOf("g".repeat(BIG)), PRIORITY.bulk),
    );
    await mesh.world.pass(50);
    for (let i = 0; i < 5; i++) sends.push(modest.send(packetOf("m".repeat(BIG)), PRIORITY.bulk));
    const arrived = () => mesh.get("n4").arrived.map(([first]) => first).join("");
    while (arrived().split("m").length < 6) await mesh.world.pass(20);
    // From the first of the modest one on they alternate.
    assert.match(arrived(), /^g+m(g{0,2}m){4}/);
    await Promise.all(sends);
  });
});

Deno.test("transit: echoes that one neighbour may bring are bounded", async () => {
  await routed(LINE, async (mesh) => {
    const path = keys(mesh, ["n1", "n2"]);
    const echo = writeEcho({ class: "low", stream: STREAM, path });
    for (let i = 0; i < 1_500; i++) {
      await linkOf(mesh, "n1", "n2").tell("router.forward", echo.slice());
    }
    await mesh.settle();
    const { echoed, dropped } = await mesh.stats("n2");
    assert.ok(echoed! >= 1_000 && echoed! < 1_100, `${echoed}`);
    assert.equal(echoed! + dropped!, 1_500);
  });
});
