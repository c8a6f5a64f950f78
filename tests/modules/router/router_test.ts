import assert from "node:assert/strict";
import { PRIORITY } from "../../../core/mod.ts";
import { packetOf, routed, SEGMENTS, textOf } from "./router_world.ts";

const LINE = {
  segments: { main: ["n1", "n2", "n3", "n4"] },
  links: [["n1", "n2"], ["n2", "n3"], ["n3", "n4"]],
} as const;

Deno.test("router: class low goes hop by hop over standing links, and answers come back", async () => {
  await routed(LINE, async (mesh) => {
    const [n1, n4] = [mesh.get("n1"), mesh.get("n4")];
    const carrier = n1.router.openCarrier("n4", { class: "low" });
    assert.equal(mesh.names(carrier.path), "n1 n2 n3 n4");
    const answers: string[] = [];
    carrier.onPacket((packet) => answers.push(textOf(packet)));
    for (const priority of [PRIORITY.control, PRIORITY.normal, PRIORITY.bulk]) {
      await carrier.send(packetOf(`hello ${priority}`), priority);
      await mesh.settle();
    }
    assert.deepEqual(n4.arrived, ["hello 2", "hello 1", "hello 0"]);
    await n4.accepted[0]?.send(packetOf("back"), PRIORITY.normal);
    await mesh.settle();
    assert.deepEqual(answers, ["back"]);
    assert.equal((await mesh.stats("n2")).forwarded, 4);
    assert.equal((await mesh.stats("n1")).dials, 0);
    carrier.close("done");
    assert.equal(await carrier.closed, "done");
    await assert.rejects(carrier.send(packetOf("x"), PRIORITY.control), /Carrier is closed: done/);
  });
});

Deno.test("router: class high dials a node of the segment once, and both ends use the conduit", async () => {
  await routed(LINE, async (mesh) => {
    const [n1, n4] = [mesh.get("n1"), mesh.get("n4")];
    const carriers = [1, 2, 3].map(() => n1.router.openCarrier(n4.keyId, { class: "high" }));
    await Promise.all(carriers.map((one, i) => one.send(packetOf(`s${i}`), PRIORITY.bulk)));
    await mesh.settle();
    assert.deepEqual(n4.arrived.toSorted(), ["s0", "s1", "s2"]);
    const back = n4.router.openCarrier("n1", { class: "high" });
    await back.send(packetOf("back"), PRIORITY.control);
    await mesh.settle();
    assert.deepEqual(n1.arrived, ["back"]);
    assert.deepEqual([(await mesh.stats("n1")).dials, (await mesh.stats("n4")).dials], [1, 0]);
    assert.equal(n1.node.host.links.get(n4.keyId), undefined);
  });
});

Deno.test("router: a conduit on demand is closed when it was idle for long, not before", async () => {
  await routed(LINE, async (mesh) => {
    const n1 = mesh.get("n1");
    const carrier = n1.router.openCarrier("n4", { class: "high" });
    for (let i = 0; i < 5; i++) {
      await carrier.send(packetOf("x"), PRIORITY.control);
      await mesh.world.pass(40_000);
      assert.equal(n1.node.host.onDemand.list().length, 1);
    }
    await mesh.world.pass(30_000);
    assert.deepEqual(n1.node.host.onDemand.list(), []);
    const { dials, closedIdle } = await mesh.stats("n1");
    assert.deepEqual([dials, closedIdle], [1, 1]);
  });
});

Deno.test("router: class high crosses segments by gateways alone", async () => {
  await routed(SEGMENTS, async (mesh) => {
    const carrier = mesh.get("a1").router.openCarrier("b1", { class: "high" });
    assert.match(mesh.names(carrier.path), /^a1 g[12] g[34] b1$/);
    await carrier.send(packetOf("over"), PRIORITY.bulk);
    await mesh.settle();
    assert.deepEqual(mesh.get("b1").arrived, ["over"]);
  });
});

Deno.test("router: when a gateway dies the next packets go by another one", async () => {
  await routed(SEGMENTS, async (mesh) => {
    const carrier = mesh.get("a1").router.openCarrier("b1", { class: "high" });
    for (const relay of [1, 2]) {
      const dying = mesh.names(carrier.path).split(" ")[relay] as string;
      await mesh.get(dying).node.daemon.stop("killed");
      await mesh.settle();
      assert.doesNotMatch(mesh.names(carrier.path), new RegExp(dying));
      await carrier.send(packetOf(`without ${dying}`), PRIORITY.normal);
      await mesh.settle();
      assert.equal(mesh.get("b1").arrived.at(-1), `without ${dying}`);
    }
  });
});

Deno.test("router: a relay that cannot go on says so, and the source goes around it", async () => {
  await routed(SEGMENTS, async (mesh) => {
    const carrier = mesh.get("a1").router.openCarrier("b1", { class: "low" });
    const [, , relay] = mesh.names(carrier.path).split(" ") as [string, string, string];
    // Nobody hears of it: the picture at a1 is wrong for a while.
    mesh.board.freeze();
    await mesh.get(relay).node.link(mesh.get("b1").node)?.close("cut");
    await mesh.settle();
    await carrier.send(packetOf("lost"), PRIORITY.control);
    await mesh.settle();
    assert.deepEqual(mesh.get("b1").arrived, []);
    assert.doesNotMatch(mesh.names(carrier.path), new RegExp(relay));
    await carrier.send(packetOf("found"), PRIORITY.control);
    await mesh.settle();
    assert.deepEqual(mesh.get("b1").arrived, ["found"]);
    // A relay's word counts for one stream alone: another one asks for itself.
    const other = mesh.get("a1").router.openCarrier("b1", { class: "low" });
    assert.match(mesh.names(other.path), new RegExp(relay));
    await other.send(packetOf("lost"), PRIORITY.control);
    await mesh.settle();
    assert.doesNotMatch(mesh.names(other.path), new RegExp(relay));
    mesh.board.thaw();
  });
});

Deno.test("router: reroute avoids the relays of the path that swallows, and all in turn", async () => {
  await routed(SEGMENTS, (mesh) => {
    const carrier = mesh.get("a1").router.openCarrier("b1", { class: "low" });
    const seen = new Set<string>();
    for (let i = 0; i < 4; i++) {
      seen.add(mesh.names(carrier.path));
      carrier.reroute();
    }
    assert.equal(seen.size, 2);
    assert.ok(carrier.hasRoute);
    return Promise.resolve();
  });
});

Deno.test("router: the end that was asked follows the path of who began, until it must choose", async () => {
  await routed(SEGMENTS, async (mesh) => {
    const carrier = mesh.get("a1").router.openCarrier("b1", { class: "low" });
    await carrier.send(packetOf("one"), PRIORITY.control);
    await mesh.settle();
    const back = mesh.get("b1").accepted[0] as typeof carrier;
    const reversed = () => mesh.names(carrier.path).split(" ").reverse().join(" ");
    assert.equal(mesh.names(back.path), reversed());
    carrier.reroute();
    await carrier.send(packetOf("two"), PRIORITY.control);
    await mesh.settle();
    assert.equal(mesh.names(back.path), reversed());
    back.reroute();
    assert.notEqual(mesh.names(back.path), reversed());
  });
});

Deno.test("router: without a way packets are lost, and it is said what is missing", async () => {
  const plan = {
    segments: { left: ["a1", "a2"], right: ["b1", "g1"] },
    links: [["a1", "a2"], ["b1", "g1"]],
  } as const;
  await routed(plan, async (mesh) => {
    const { router, keyId } = mesh.get("a1");
    const carrier = router.openCarrier("b1", { class: "high" });
    assert.equal(carrier.hasRoute, false);
    await carrier.send(packetOf("nowhere"), PRIORITY.bulk);
    const { low, high } = router.route("b1");
    const why = '"b1" is down, or cut off: No gateway of segment "left", that of "a1", is up';
    assert.deepEqual([low, high], [
      { hops: [], why },
      { hops: [], why },
    ]);
    assert.throws(
      () => router.openCarrier("nobody", { class: "low" }),
      /No node "nobody" is known/,
    );
    assert.throws(() => router.openCarrier(keyId, { class: "low" }), /need no router/);
    await mesh.link("a2", "b1");
    await mesh.settle();
    assert.ok(carrier.hasRoute);
    assert.match(router.route("b1").low.hops.map(({ name }) => name).join(" "), /^a2 b1$/);
  });
});

Deno.test("router: a trace knows the time to each hop by one echo, whatever the clocks say", async () => {
  await routed(LINE, async (mesh) => {
    mesh.simulation.skew("n2", 3_600_000);
    mesh.simulation.skew("n3", -3_600_000);
    const trace = await mesh.get("n1").router.trace("n4", {
      class: "low",
      timeoutMs: 1_000,
      signal: new AbortController().signal,
    });
    const times = trace.hops.map(({ ms }) => ms as number);
    assert.deepEqual(trace.hops.map(({ name, kind }) => `${name} ${kind}`), [
      "n2 link",
      "n3 link",
      "n4 link",
    ]);
    assert.equal(trace.ms, times[2]);
    assert.ok(0 < times[0]! && times[0]! < times[1]! && times[1]! < times[2]!, `${times}`);
    assert.equal(trace.why, undefined);
  });
});

Deno.test("router: a trace through a frozen relay says how far it gets", async () => {
  await routed(LINE, async (mesh) => {
    mesh.simulation.freeze("n3");
    const trace = await mesh.get("n1").router.trace("n4", {
      class: "low",
      timeoutMs: 500,
      signal: new AbortController().signal,
    });
    assert.equal(trace.ms, null);
    assert.deepEqual(trace.hops.map(({ ms }) => ms === null), [false, true, true]);
    assert.equal(trace.why, 'Lost behind "n2", on the way to "n3": no answer');
    mesh.simulation.thaw("n3");
  });
});

Deno.test("router: a trace through a frozen relay says that streams can go around it", async () => {
  await routed(SEGMENTS, async (mesh) => {
    const { router } = mesh.get("a1");
    const carrier = router.openCarrier("b1", { class: "low" });
    const relayOf = () => mesh.names(carrier.path).split(" ")[1] as string;
    const frozen = relayOf();
    carrier.reroute();
    const other = relayOf();
    mesh.simulation.freeze(frozen);
    const { why } = await router.trace("b1", {
      class: "low",
      timeoutMs: 500,
      signal: new AbortController().signal,
    });
    const text = `Lost behind "a1", on the way to "${frozen}": no answer; streams can go around`;
    assert.equal(why, `${text}, by "${other}"`);
    mesh.simulation.thaw(frozen);
  });
});

// "To ga2: no answer; streams can go around, by ga2": no other way was known to reach it.
Deno.test("router: a trace to a frozen node does not say that streams reach it by another way", async () => {
  await routed(SEGMENTS, async (mesh) => {
    mesh.simulation.freeze("b1");
    const { why = "" } = await mesh.get("a1").router.trace("b1", {
      class: "low",
      timeoutMs: 500,
      signal: new AbortController().signal,
    });
    assert.match(why, /^Lost behind "g[34]", on the way to "b1": no answer$/);
    mesh.simulation.thaw("b1");
  });
});

// One ping of a loaded daemon took its neighbour from all of its streams, for 3 s.
Deno.test("router: an echo for which our own queue is full cuts nobody's way", async () => {
  await routed(LINE, async (mesh) => {
    const { router } = mesh.get("n1");
    const carriers = [1, 2].map(() => router.openCarrier("n4", { class: "low" }));
    // Down to what an echo takes.
    const sizes = [...Array<number>(12).fill(50_000), ...Array<number>(150).fill(0)];
    const sends = carriers.flatMap((carrier) =>
      sizes.map((bytes) => carrier.send(new Uint8Array(bytes), PRIORITY.control))
    );
    const { ms, why } = await router.trace("n4", {
      class: "low",
      timeoutMs: 500,
      signal: new AbortController().signal,
    });
    assert.equal(ms, null);
    assert.match(why ?? "", /^Lost behind "n1", on the way to "n2": .+ share is full$/);
    assert.equal(router.route("n4").low.hops.length, 3);
    assert.ok(router.openCarrier("n2", { class: "low" }).hasRoute);
    await Promise.all(sends);
  });
});

// It counted as answered, after twice the time that it had.
Deno.test("router: an echo that came too late has not come, whatever came back later", async () => {
  await routed(LINE, async (mesh) => {
    mesh.simulation.freeze("n4");
    const tracing = mesh.get("n1").router.trace("n4", {
      class: "low",
      timeoutMs: 500,
      signal: new AbortController().signal,
    });
    await mesh.world.pass(600);
    mesh.simulation.thaw("n4");
    const { ms, why, hops } = await tracing;
    assert.equal(ms, null);
    assert.equal(why, "No answer within 500 ms, but then another echo came back");
    assert.deepEqual(hops.map((hop) => hop.ms === null), [false, false, false]);
  });
});
