import assert from "node:assert/strict";
import { type Call, type Calls, PRIORITY } from "../../../core/mod.ts";
import {
  NEWS_MS_MAX,
  OPEN_PER_USER_MAX,
  OPEN_SWIFT_BYTES_MAX,
  QUEUED_PACKET_BYTES,
  UNREAD_BYTES_MAX,
} from "../../../modules/router/limits.ts";
import {
  type Carrier,
  packetToDaemon,
  readFromDaemon,
  readToDaemon,
  rerouteToDaemon,
} from "../../../modules/shared/carrier.ts";
import { serveCarrier } from "../../../modules/router/open.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { createGroup } from "../../../modules/group/mod.ts";
import { createRouter } from "../../../modules/router/mod.ts";
import { inWorld } from "../../core/daemon/world.ts";
import { Board } from "../group/board.ts";
import { packetOf, routed, type RouterWorld, textOf } from "./router_world.ts";

const LINE = {
  segments: { main: ["n1", "n2", "n3"] },
  links: [["n1", "n2"], ["n2", "n3"]],
} as const;

/** A program of alice on a machine that is no node, connected to n1. */
async function program(mesh: RouterWorld, name = "alice"): Promise<Calls> {
  const user = mesh.world.keys.person({ name, type: "user" });
  return await mesh.world.client(mesh.get("n1").node, user);
}

function open(caller: Calls, mesh: RouterWorld, target = "n3"): Call {
  const args = { target: mesh.get(target).keyId, class: "low" };
  return caller.stream("router.open", args, { deadlineMs: 0 });
}

/** What the daemon says, as it comes. */
function listen(call: Call): string[] {
  const heard: string[] = [];
  void (async () => {
    for await (const item of call) {
      const told = readFromDaemon(item);
      heard.push(told.packet === undefined ? `route ${told.hasRoute}` : textOf(told.packet));
    }
  })().catch((error: unknown) => heard.push(`error ${(error as Error).message}`));
  return heard;
}

Deno.test("open: a program's packets are carried to the node and back", async () => {
  await routed(LINE, async (mesh) => {
    const alice = await program(mesh);
    const call = open(alice, mesh);
    const heard = listen(call);
    await call.send(packetToDaemon(packetOf("there"), PRIORITY.bulk));
    await mesh.settle();
    assert.deepEqual(mesh.get("n3").arrived, ["there"]);
    await mesh.get("n3").accepted[0]?.send(packetOf("back"), PRIORITY.control);
    await mesh.settle();
    assert.deepEqual(heard, ["route true", "back"]);
    await call.send(rerouteToDaemon());
    await mesh.get("n2").node.daemon.stop("gone");
    await mesh.world.pass(500);
    assert.deepEqual(heard.slice(2), ["route false"]);
    await call.end();
    assert.deepEqual(await call.reply, { text: "closed by the program" });
    assert.equal((await mesh.stats("n1")).carriers, 0);
  });
});

Deno.test("open: ends with the program, and with the daemon", async () => {
  await routed(LINE, async (mesh) => {
    const alice = await program(mesh);
    const cancelled = open(alice, mesh);
    const ended = open(alice, mesh);
    await mesh.settle();
    assert.equal((await mesh.stats("n1")).carriers, 2);
    cancelled.cancel();
    await mesh.settle();
    assert.equal((await mesh.stats("n1")).carriers, 1);
    await alice.close("gone");
    await mesh.settle();
    assert.equal((await mesh.stats("n1")).carriers, 0);
    await assert.rejects(ended.reply, /gone/);
    const bob = await program(mesh, "bob");
    const open2 = open(bob, mesh);
    await mesh.settle();
    await mesh.get("n1").node.daemon.stop("enough");
    assert.match(String(await open2.reply.then(JSON.stringify, String)), /daemon stops|closed/);
  });
});

Deno.test("open: ends when its node, which has answered, was started again", async () => {
  await routed(LINE, async (mesh) => {
    const alice = await program(mesh);
    const [answered, silent] = [open(alice, mesh), open(alice, mesh)];
    for (const call of [answered, silent]) {
      await call.send(packetToDaemon(packetOf("there"), PRIORITY.normal));
    }
    await mesh.settle();
    await mesh.get("n3").accepted[0]?.send(packetOf("back"), PRIORITY.normal);
    await mesh.world.pass(NEWS_MS_MAX);
    mesh.kill("n3");
    await mesh.settle();
    await mesh.start("n3", "main");
    await mesh.link("n2", "n3");
    assert.deepEqual(await answered.reply, { text: '"n3" was started again' });
    // Nobody knew of this one, so the new life may be meant.
    await silent.send(packetToDaemon(packetOf("again"), PRIORITY.normal));
    await mesh.settle();
    assert.deepEqual(mesh.get("n3").arrived, ["again"]);
    silent.cancel();
  });
});

Deno.test("open: so many for one user, whatever the number of programs; others have their own", async () => {
  await routed(LINE, async (mesh) => {
    const user = mesh.world.keys.person({ name: "alice", type: "user" });
    const programs = [
      await mesh.world.client(mesh.get("n1").node, user),
      await mesh.world.client(mesh.get("n1").node, user),
    ];
    const calls = Array.from(
      { length: OPEN_PER_USER_MAX },
      (_, i) => open(programs[i % 2] as Calls, mesh),
    );
    await mesh.settle();
    await assert.rejects(open(programs[0]!, mesh).reply, /More than 32 routed streams of one user/);
    const bob = open(await program(mesh, "bob"), mesh);
    calls[0]?.cancel();
    await mesh.settle();
    const again = open(programs[1]!, mesh);
    await mesh.settle();
    assert.equal((await mesh.stats("n1")).carriers, OPEN_PER_USER_MAX + 1);
    for (const call of [...calls, bob, again]) call.cancel();
  });
});

Deno.test("open: what is no item ends the stream, and the daemon lives", async () => {
  await routed(LINE, async (mesh) => {
    const alice = await program(mesh);
    for (const bad of ["text", new Uint8Array(0), Uint8Array.of(9), Uint8Array.of(3, 1)]) {
      const call = open(alice, mesh);
      await call.send(bad);
      await assert.rejects(call.reply, /Item/);
    }
    await assert.rejects(
      alice.request("router.open", { target: "n3", class: "low" }),
      /Expected 64 hex digits/,
    );
    const args = { target: "ab".repeat(32), class: "low" };
    await assert.rejects(alice.request("router.open", args), /No node "abab.*is known here/);
    assert.equal((await mesh.stats("n1")).carriers, 0);
  });
});

// Steps of a group operation began streams beyond the bound of their user.
Deno.test("open: is refused as a step of a group operation", async () => {
  await inWorld(async (world) => {
    const board = new Board(() => ({ segment: "main", endpoints: [] }));
    const self = world.keys.person({ name: "n1" });
    const modules = [board.module(), createGroup(), createRouter()];
    const node = await world.start("n1", { self, modules });
    const alice = await world.client(node, world.keys.person({ name: "alice", type: "user" }));
    const args = { target: self.identity.keyId, class: "low" };
    const steps = [{ verb: "router.open", args }];
    const result = await alice.request("group.call", { targets: "n1", steps, deadlineMs: 5_000 });
    assert.match(JSON.stringify(result), /opened by a program of its own/);
  });
});

Deno.test("open: a program that does not read costs no more than its bound", async () => {
  await routed(LINE, async (mesh) => {
    const alice = await program(mesh);
    const call = open(alice, mesh);
    const items = call[Symbol.asyncIterator]();
    await call.send(packetToDaemon(packetOf("hello"), PRIORITY.control));
    await mesh.settle();
    const back = mesh.get("n3").accepted[0]!;
    const big = new Uint8Array(60_000).fill(1);
    for (let i = 0; i < 3 * UNREAD_BYTES_MAX / big.length; i++) {
      await back.send(big, PRIORITY.bulk);
      await mesh.world.pass(2);
    }
    // Nothing waits on the way: what was too much was dropped at the daemon.
    for (const name of ["n1", "n2", "n3"]) {
      assert.equal((await mesh.stats(name)).waitingBytes, 0);
    }
    let read = 0;
    const reading = (async () => {
      for (let next = await items.next(); !next.done; next = await items.next()) {
        read += (next.value as Uint8Array).length;
      }
    })().catch(() => {});
    await mesh.world.pass(1_000);
    assert.ok(read > UNREAD_BYTES_MAX / 2 && read < 2.5 * UNREAD_BYTES_MAX, `${read}`);
    call.cancel();
    await reading;
  });
});

Deno.test("open: a program's control packets overtake its bulk that waits", async () => {
  await routed(LINE, async (mesh) => {
    mesh.simulation.link("n1", "n2", { bytesPerMs: 500 });
    const alice = await program(mesh);
    const call = open(alice, mesh);
    const sends: Promise<void>[] = [];
    for (let i = 0; i < 15; i++) {
      sends.push(call.send(packetToDaemon(packetOf("b".repeat(60_000)), PRIORITY.bulk)));
    }
    sends.push(call.send(packetToDaemon(packetOf("control"), PRIORITY.control)));
    const arrived = () => mesh.get("n3").arrived;
    while (!arrived().includes("control")) await mesh.world.pass(5);
    assert.ok(arrived().length < 8, `after ${arrived().length} others`);
    call.cancel();
    await Promise.allSettled(sends);
  });
});

/** Takes what a program says to a carrier that takes nothing; gives how often it was asked. */
async function feed(items: readonly Uint8Array[]) {
  const clock = new ManualClock();
  const asked = { sends: 0, reroutes: 0 };
  const { signal } = new AbortController();
  const { promise: closed, resolve: close } = Promise.withResolvers<string>();
  const carrier: Carrier = {
    packetBytesMax: 60_000,
    hasRoute: true,
    closed,
    send: () => (asked.sends++, new Promise(() => {})),
    reroute: () => void asked.reroutes++,
    onPacket: () => {},
    close,
  };
  const input = (async function* () {
    yield* items;
  })();
  const served = serveCarrier(carrier, { input, signal }, { clock, stopping: signal });
  while (!(await served.next()).done);
  return asked;
}

// A program that went on sending while its hop was frozen filled the memory of the daemon.
Deno.test("open: normal and control packets that wait are bounded, and the rest is dropped", async () => {
  for (const priority of [PRIORITY.normal, PRIORITY.control]) {
    const one = packetToDaemon(new Uint8Array(50_000), priority);
    const { sends } = await feed(Array.from({ length: 1_000 }, () => one));
    assert.equal(sends, Math.floor(OPEN_SWIFT_BYTES_MAX / (50_000 + QUEUED_PACKET_BYTES)));
  }
});

// Each item of one byte cost a search for a path.
Deno.test("open: a program has its stream moved once in a while, however often it asks", async () => {
  const { reroutes } = await feed(Array.from({ length: 1_000 }, () => rerouteToDaemon()));
  assert.equal(reroutes, 1);
});

Deno.test("carrier items: anything is read as what it is, or refused", () => {
  const packet = packetOf("x");
  assert.deepEqual(readToDaemon(packetToDaemon(packet, PRIORITY.normal)), {
    packet,
    priority: PRIORITY.normal,
  });
  assert.deepEqual(readToDaemon(rerouteToDaemon()), { reroute: true });
  for (const bad of [undefined, "x", new Uint8Array(0), Uint8Array.of(4), new Uint8Array(70_000)]) {
    assert.throws(() => readToDaemon(bad), /Item|Packet of/);
    assert.throws(() => readFromDaemon(bad), /Item|Packet of/);
  }
  for (const bad of [[1], [1, 2], [1, 1, 1], [2]]) {
    assert.throws(() => readFromDaemon(Uint8Array.from(bad)), /Item of the router begins with/);
  }
});
