// Who may stay: certificates expire and are revoked while conduits live, users have limits, and the
// owner's socket is not the public's.

import assert from "node:assert/strict";
import * as v from "valibot";
import { type CallError, type Revocations, type Self, verb } from "../../../core/mod.ts";
import {
  USER_CONDUITS_MAX,
  USER_REQUESTS_PER_SECOND_MAX,
  VALIDITY_CHECK_MS,
} from "../../../core/limits.ts";
import { inWorld, type World, type WorldNode } from "./world.ts";

const HOUR_MS = 3_600_000;

const revoking = (...selves: Self[]): Revocations => ({
  isRevoked: (keyId) => selves.some(({ identity }) => identity.keyId === keyId),
});

function person(world: World, name: string, hours: number, type: "node" | "user"): Self {
  const notAfter = world.simulation.host("maker").clock.now() + hours * HOUR_MS;
  return world.keys.person({ name, type, notAfter });
}

Deno.test("expiry: ends links and clients soon after the certificate, and not before", async () => {
  await inWorld(async (world) => {
    const n1 = await world.start("n1");
    const n2 = await world.start("n2", { self: person(world, "n2", 2, "node") });
    const n3 = await world.start("n3");
    await world.dial(n1, n2);
    await world.dial(n1, n3);
    const client = await world.client(n1, person(world, "alice", 3, "user"));
    await world.pass(2 * HOUR_MS - 1_000);
    assert.deepEqual(n1.changes, ["up n2", "up n3"]);
    await world.pass(1_000 + VALIDITY_CHECK_MS);
    assert.deepEqual(n1.changes.slice(2), ['down n2: Certificate of "n2" has expired']);
    assert.equal((await client.request("core.ping") as { name: string }).name, "n1");
    await assert.rejects(world.dial(n1, n2), { reason: "expired" });
    await world.pass(HOUR_MS);
    assert.equal((await client.done).text, 'Certificate of "alice" has expired');
    assert.deepEqual(n1.host.links.list().length, 1);
  });
});

Deno.test("revocation: ends links and clients at once, and lets nobody in again", async () => {
  await inWorld(async (world) => {
    const registrar = world.keys.person({ name: "registrar", type: "issuer" });
    const bob = world.keys.person({ name: "bob", type: "user", issuer: registrar });
    const alice = world.keys.person({ name: "alice", type: "user" });
    const [n1, n2, n3] = [
      await world.start("n1"),
      await world.start("n2"),
      await world.start("n3"),
    ];
    await world.dial(n1, n2);
    await world.dial(n3, n1);
    const clients = [await world.client(n1, alice), await world.client(n1, bob)];
    n1.daemon.trust = { ...n1.daemon.trust, revocations: revoking(n3.self, registrar) };
    assert.equal((await clients[1]!.done).text, 'Certificate of "bob" is revoked');
    await world.pass(1);
    assert.deepEqual(n1.changes, ["up n2", "up n3", 'down n3: Certificate of "n3" is revoked']);
    assert.equal((await clients[0]!.request("core.ping") as { name: string }).name, "n1");
    await assert.rejects(world.dial(n3, n1), { reason: "revoked" });
    await assert.rejects(world.dial(n1, n3), { reason: "revoked" });
    await assert.rejects(world.client(n1, bob), { reason: "revoked" });
    assert.deepEqual(n1.host.links.list().map(({ peer }) => peer.identity.name), ["n2"]);
  });
});

Deno.test("revocation: counts also for a handshake that began before it", async () => {
  await inWorld(async (world) => {
    const [n1, n2] = [await world.start("n1"), await world.start("n2")];
    world.simulation.link("n1", "n2", { delayMs: 100 });
    for (const [from, to] of [[n2, n1], [n1, n2]] as const) {
      const dialling = assert.rejects(world.dial(from, to));
      await world.pass(from === n2 ? 350 : 50);
      n1.daemon.trust = { ...n1.daemon.trust, revocations: revoking(n2.self) };
      await dialling;
      await world.pass(1_000);
      assert.deepEqual([n1.host.links.list(), n2.host.links.list()], [[], []]);
      n1.daemon.trust = { ...n1.daemon.trust, revocations: revoking() };
    }
  });
});

Deno.test("user: so many connections to one daemon, and no more until one ends", async () => {
  await inWorld(async (world) => {
    const n1 = await world.start("n1");
    const alice = world.keys.person({ name: "alice", type: "user" });
    const clients = [];
    while (clients.length < USER_CONDUITS_MAX) clients.push(await world.client(n1, alice));
    await world.pass(5);
    await assert.rejects(world.client(n1, alice), (error: Error & { reason?: string }) => {
      assert.equal(error.reason, "quota");
      const text = `User "alice" has ${USER_CONDUITS_MAX} connections to us already`;
      assert.ok(error.message.endsWith(text), error.message);
      return true;
    });
    await world.client(n1, world.keys.person({ name: "bob", type: "user" }));
    await clients[0]?.close("done");
    await world.pass(5);
    await world.client(n1, alice);
  });
});

Deno.test("user: the limit of requests is the user's, not the connection's; links have none", async () => {
  await inWorld(async (world) => {
    const [n1, n2] = [await world.start("n1"), await world.start("n2")];
    const alice = world.keys.person({ name: "alice", type: "user" });
    const clients = [await world.client(n1, alice), await world.client(n1, alice)];
    const ask = (count: number) =>
      Promise.allSettled(
        Array.from({ length: count }, (_, i) => clients[i % 2]!.request("core.ping")),
      );
    const results = await ask(2 * USER_REQUESTS_PER_SECOND_MAX);
    const busy = results.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
    assert.equal(busy.length, USER_REQUESTS_PER_SECOND_MAX);
    for (const { reason } of busy) {
      assert.equal((reason as CallError).message, "More requests per second than allowed");
    }
    const link = await world.dial(n2, n1);
    await Promise.all(Array.from({ length: 500 }, () => link.request("core.ping")));
  });
});

Deno.test("user: to connect again does not renew what may be asked, until some time has passed", async () => {
  await inWorld(async (world) => {
    const n1 = await world.start("n1");
    const alice = world.keys.person({ name: "alice", type: "user" });
    const askMuch = async () => {
      const client = await world.client(n1, alice);
      const asked = Array.from(
        { length: USER_REQUESTS_PER_SECOND_MAX },
        () => client.request("core.ping"),
      );
      const results = await Promise.allSettled(asked);
      await client.close("done");
      return results.filter(({ status }) => status === "fulfilled").length;
    };
    assert.equal(await askMuch(), USER_REQUESTS_PER_SECOND_MAX);
    assert.ok(await askMuch() < USER_REQUESTS_PER_SECOND_MAX / 2);
    await world.pass(2 * VALIDITY_CHECK_MS);
    assert.equal(await askMuch(), USER_REQUESTS_PER_SECOND_MAX);
  });
});

Deno.test("owner: who can enter the folder of the socket reads, and does no more unsigned", async () => {
  await inWorld(async (world) => {
    const path = "/run/minime/n1.sock";
    const env = world.simulation.host("n1");
    await env.files.makeFolder("/run/minime");
    const verbs = {
      linked: verb({ action: "link", args: v.unknown(), reply: v.unknown(), handle: () => 1 }),
      inside: verb({ action: "internal", args: v.unknown(), reply: v.unknown(), handle: () => 1 }),
    };
    const n1 = await world.start("n1", { listen: [`unix:${path}`], verbs });
    const owner = await world.owner(n1, path);
    assert.equal((await owner.request("core.ping") as { name: string }).name, "n1");
    for (
      const name of ["core.shutdown", "core.execute", "core.bulk", "probe.linked", "probe.inside"]
    ) {
      await assert.rejects(owner.request(name, {}), { class: "refused" });
    }
    const alice = world.keys.person({ name: "alice", type: "user" });
    const request = world.keys.sign(alice, { verb: "core.shutdown", args: {} });
    assert.deepEqual(await owner.request("core.shutdown", request, { signed: true }), {
      name: "n1",
    });
    await n1.daemon.stopped;
  });
});

async function daemonWith(run: (world: World, node: WorldNode) => Promise<void>): Promise<void> {
  await inWorld(async (world) => await run(world, await world.start("n1")));
}

Deno.test("core verbs: hello, ping and stats tell what is", async () => {
  await daemonWith(async (world, n1) => {
    const n2 = await world.start("n2");
    const link = await world.dial(n2, n1);
    await world.pass(1_000);
    const hello = await link.request("core.hello") as Record<string, unknown>;
    assert.deepEqual([hello.name, hello.keyId, hello.protocol], ["n1", n1.self.identity.keyId, 1]);
    assert.equal(hello.instance, link.peer.instance);
    assert.deepEqual(hello.verbs, n1.daemon.actions().map(([name]) => name));
    const { clock } = world.simulation.host("maker");
    const ping = await link.request("core.ping") as { name: string; unixMs: number };
    assert.ok(ping.name === "n1" && Math.abs(ping.unixMs - clock.now()) < 10);
    await assert.rejects(link.request("core.unknown"), { class: "unknown-verb" });
    await assert.rejects(link.request("core.ping", { x: 1 }), { class: "invalid" });
    const stats = await link.request("core.stats") as Record<string, number>;
    assert.deepEqual([stats.links, stats.refused, stats.failed], [1, 1, 1]);
    assert.ok(stats.upMs! >= 1_000 && stats.served! >= 3, JSON.stringify(stats));
  });
});

Deno.test("modules: reach each other by name, over one conduit for each pair, however often they ask", async () => {
  await daemonWith(async (_world, n1) => {
    const { host } = n1;
    assert.equal(host.module("core"), host.module("core"));
    assert.notEqual(host.module("core"), n1.daemon.caller("core"));
    assert.equal((await host.module("core").request("core.ping") as { name: string }).name, "n1");
    await assert.rejects(host.module("probe").request("core.ping"), {
      class: "unknown-verb",
      message: '"core.ping" is not a verb of "probe"',
    });
    assert.throws(() => host.module("router"), { message: 'Nobody listens on "internal:router"' });
    await n1.daemon.stop("enough");
    await assert.rejects(host.module("core").request("core.ping"), { class: "unreachable" });
  });
});

Deno.test("audit: a daemon whose log cannot be written refuses guarded verbs, and can be shut down", async () => {
  await inWorld(async (world) => {
    const { files } = world.simulation.host("n1");
    const verbs = {
      act: verb({
        action: "guarded",
        args: v.undefined(),
        reply: v.string(),
        handle: () => "done",
      }),
    };
    const n1 = await world.start("n1", { verbs });
    const alice = world.keys.person({ name: "alice", type: "user" });
    const client = await world.client(n1, alice);
    const act = (name: string) => {
      const args = name === "probe.act" ? {} : { args: {} };
      return client.request(name, world.keys.sign(alice, { verb: name, ...args }), {
        signed: true,
      });
    };
    assert.equal(await act("probe.act"), "done");
    const lines = (await files.readText("/audit/audit-00000001.jsonl")).trim().split("\n");
    assert.equal(lines.length, 1);
    const { verb: audited, principal, allowed } = JSON.parse(lines[0]!);
    assert.deepEqual([audited, principal, allowed], ["probe.act", "alice", true]);
    world.simulation.disk("n1").capacityBytes = 0;
    await assert.rejects(act("probe.act"), (error: CallError) => {
      assert.equal(error.class, "refused");
      assert.ok(error.message.startsWith("Audit record cannot be written: "), error.message);
      return true;
    });
    assert.deepEqual(await act("core.shutdown"), { name: "n1" });
    await n1.daemon.stopped;
  });
});

Deno.test("handler: one that returns what cannot be sent fails its caller, and the daemon lives", async () => {
  // The journal weighed the reply for its copies and threw where nobody listened.
  await inWorld(async (world) => {
    const verbs = {
      date: verb({
        action: "guarded",
        args: v.undefined(),
        reply: v.unknown(),
        handle: () => new Date(0),
      }),
    };
    const n1 = await world.start("n1", { verbs });
    const alice = world.keys.person({ name: "alice", type: "user" });
    const client = await world.client(n1, alice);
    const request = world.keys.sign(alice, { verb: "probe.date" });
    for (let i = 0; i < 2; i++) {
      await assert.rejects(client.request("probe.date", request, { signed: true }), {
        class: "failed",
        message: "Internal error; the daemon's log has it",
      });
    }
    assert.ok(
      n1.logged.some((line) => line.startsWith('error core: "probe.date" failed in a way')),
    );
    assert.equal((await client.request("core.ping") as { name: string }).name, "n1");
  });
});
