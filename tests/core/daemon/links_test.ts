import assert from "node:assert/strict";
import * as v from "valibot";
import { type CallError, type Link, PRIORITY, verb } from "../../../core/mod.ts";
import { LINK_CONDUITS_MAX, LINK_DRAIN_MS } from "../../../core/limits.ts";
import { numbered } from "../conduit/messages.ts";
import { inWorld, type World, type WorldNode } from "./world.ts";

/** Echoes after so many virtual milliseconds. */
const verbs = (world: World) => ({
  slow: verb({
    action: "link",
    args: v.object({ ms: v.number() }),
    reply: v.number(),
    handle: async ({ ms }) => {
      await world.pass(ms);
      return ms;
    },
  }),
  items: verb({
    action: "link",
    args: v.undefined(),
    reply: v.number(),
    handle: async function* () {
      for (let i = 0; i < 40; i++) yield numbered(65_536, i);
      return 40;
    },
  }),
});

async function twoNodes(
  run: (world: World, n1: WorldNode, n2: WorldNode) => Promise<void>,
  seed = 1,
  path = {},
): Promise<void> {
  await inWorld(async (world) => {
    const n1 = await world.start("n1", { verbs: verbs(world) });
    const n2 = await world.start("n2", { verbs: verbs(world) });
    await run(world, n1, n2);
  }, { seed, path });
}

const sessionOf = (node: WorldNode, to: WorldNode) => node.link(to)?.peer.session;

Deno.test("link: a dial makes one at both ends, and both can call", async () => {
  await twoNodes(async (world, n1, n2) => {
    const link = await world.dial(n1, n2);
    assert.deepEqual([link.dialled, link.endpoint, link.peer.identity.name], [
      true,
      n2.endpoint,
      "n2",
    ]);
    const back = n2.link(n1)!;
    assert.deepEqual([back.dialled, back.endpoint], [false, "accepted"]);
    assert.equal((await link.request("core.ping") as { name: string }).name, "n2");
    assert.equal((await back.request("core.ping") as { name: string }).name, "n1");
    assert.deepEqual([n1.changes, n2.changes], [["up n2"], ["up n1"]]);
    await link.close("enough");
    await world.pass(1);
    assert.deepEqual([n1.changes, n2.changes], [["up n2", "down n2: enough"], [
      "up n1",
      "down n1: enough",
    ]]);
    assert.deepEqual([n1.host.links.list(), n2.link(n1)], [[], undefined]);
    assert.deepEqual((await back.closed).by, "peer");
    await assert.rejects(link.request("core.ping"), { class: "unreachable" });
  });
});

// Whoever had given it up for being silent never looked at it again, and both ends stayed without a link.
Deno.test("link: one that is being closed takes no more conduits, another one begins", async () => {
  let begun = 0;
  for (let ms = 0; ms <= 60; ms += 2) {
    await twoNodes(
      async (world, n1, n2) => {
        const link = await world.dial(n1, n2);
        await world.pass(100);
        const next = world.dial(n1, n2);
        await world.pass(ms);
        const closing = link.close("silent for too long");
        const made = await next.catch(() => undefined);
        await closing;
        await world.pass(1_000);
        assert.notEqual(n1.link(n2), link);
        assert.equal(n1.link(n2) === undefined, n2.link(n1) === undefined);
        if (n1.link(n2) === undefined) return;
        begun++;
        assert.equal(n1.link(n2), made);
        assert.deepEqual(n1.changes.filter((change) => !change.startsWith("down")).length, 2);
        assert.equal((await made?.request("core.ping") as { name: string }).name, "n2");
      },
      ms,
      { delayMs: 10 },
    );
  }
  assert.ok(begun > 0);
});

Deno.test("link: when both ends dial at once one stays, the same at both, and no call is lost", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    await twoNodes(
      async (world, n1, n2) => {
        const [one, other] = await Promise.all([world.dial(n1, n2), world.dial(n2, n1)]);
        const ms = 5 * LINK_DRAIN_MS;
        const early = [one, other].map((link) => link.request("probe.slow", { ms }));
        await world.pass(10);
        const late = [n1.link(n2)!, n2.link(n1)!].map((link) => link.request("probe.slow", { ms }));
        assert.equal(n1.link(n2), one);
        assert.equal(n2.link(n1), other);
        assert.equal(sessionOf(n1, n2), sessionOf(n2, n1));
        const smaller = n1.self.identity.keyId < n2.self.identity.keyId ? n1 : n2;
        assert.deepEqual([one.dialled, other.dialled], [smaller === n1, smaller === n2]);
        assert.deepEqual(await Promise.all([...early, ...late]), [ms, ms, ms, ms]);
        await world.pass(2 * LINK_DRAIN_MS);
        assert.deepEqual([n1.link(n2)?.size, n2.link(n1)?.size], [1, 1]);
        assert.deepEqual([n1.changes, n2.changes], [["up n2"], ["up n1"]]);
      },
      seed,
      { delayMs: 1, jitterMs: 3 },
    );
  }
});

Deno.test("link: when one end dials twice at once both ends keep the same one, and it stays up", async () => {
  // Each kept the one that came last to it, closed the other, and so lost both.
  for (let seed = 1; seed <= 12; seed++) {
    await twoNodes(
      async (world, n1, n2) => {
        const [one, again] = await Promise.all([world.dial(n1, n2), world.dial(n1, n2)]);
        assert.equal(one, again);
        const ms = 3 * LINK_DRAIN_MS;
        const calls = [
          one.request("probe.slow", { ms }),
          n2.link(n1)!.request("probe.slow", { ms }),
        ];
        await world.pass(10);
        assert.equal(sessionOf(n1, n2), sessionOf(n2, n1));
        assert.deepEqual(await Promise.all(calls), [ms, ms]);
        await world.pass(10 * LINK_DRAIN_MS);
        assert.deepEqual([n1.link(n2)?.size, n2.link(n1)?.size], [1, 1]);
        assert.deepEqual([n1.changes, n2.changes], [["up n2"], ["up n1"]]);
      },
      seed,
      { delayMs: 1, jitterMs: 5 },
    );
  }
});

Deno.test("link: a conduit that is surplus lives as long as a call on it", async () => {
  await twoNodes(async (world, n1, n2) => {
    const [larger, smaller] = n1.self.identity.keyId < n2.self.identity.keyId ? [n2, n1] : [n1, n2];
    const link = await world.dial(larger, smaller);
    const long = link.request("probe.slow", { ms: 25_000 });
    await world.dial(smaller, larger);
    await world.pass(20_000);
    assert.deepEqual([larger.link(smaller)?.size, larger.link(smaller)?.dialled], [2, false]);
    assert.equal(await long, 25_000);
    await world.pass(2 * LINK_DRAIN_MS);
    assert.equal(larger.link(smaller)?.size, 1);
    assert.deepEqual(larger.changes, [`up ${smaller.name}`]);
  });
});

Deno.test("link: when its carrier breaks and another conduit lives, that one carries it", async () => {
  await twoNodes(async (world, n1, n2) => {
    await Promise.all([world.dial(n1, n2), world.dial(n2, n1)]);
    await world.pass(10);
    const carrier = n1.link(n2)!.carrier;
    void carrier.calls.close("somebody closed the wrong one");
    await world.pass(10);
    assert.deepEqual([n1.changes, n2.changes], [["up n2"], ["up n1"]]);
    assert.notEqual(n1.link(n2)?.carrier, carrier);
    assert.equal(sessionOf(n1, n2), sessionOf(n2, n1));
    assert.equal(await n1.link(n2)!.request("probe.slow", { ms: 1 }), 1);
    await world.pass(5 * LINK_DRAIN_MS);
    assert.equal(n1.link(n2)?.size, 1);
  });
});

Deno.test("link: a peer that dies is down at once, and what was pending fails", async () => {
  await twoNodes(async (world, n1, n2) => {
    const link = await world.dial(n1, n2);
    const pending = assert.rejects(link.request("probe.slow", { ms: 10_000 }), {
      class: "unreachable",
    });
    await world.pass(5);
    world.simulation.reset("n1", "n2");
    await pending;
    await world.pass(1);
    for (const node of [n1, n2]) {
      assert.equal(node.changes.length, 2);
      assert.ok(node.changes[1]?.startsWith("down "));
    }
    const again = await world.dial(n2, n1);
    assert.equal(await again.request("probe.slow", { ms: 1 }), 1);
  });
});

Deno.test("link: a second daemon with one key is refused and named, whoever dials", async () => {
  await twoNodes(async (world, n1, n2) => {
    const link = await world.dial(n1, n2);
    const clone = await world.start("n2", { self: n2.self, machine: "clone" });
    const text =
      'Key of "n2" is in use by another daemon that is linked to us; two machines must not ' +
      "share one key";
    await assert.rejects(world.dial(clone, n1), (error: Error & { reason?: string }) => {
      assert.equal(error.reason, "duplicate");
      assert.ok(error.message.endsWith(` refuses us: ${text}`), error.message);
      return true;
    });
    await assert.rejects(world.dial(n1, clone), { reason: "duplicate", message: text });
    await world.pass(1_000);
    assert.equal(n1.link(n2), link);
    assert.equal(await link.request("probe.slow", { ms: 1 }), 1);
    assert.ok(n1.logged.some((line) => line.startsWith("warning conduit") && line.includes(text)));
    assert.deepEqual(n1.changes, ["up n2"]);
  });
});

Deno.test("link: of two daemons with one key that come at once, one is linked and one refused", async () => {
  await twoNodes(async (world, n1, n2) => {
    const clone = await world.start("n2", { self: n2.self, machine: "clone" });
    const results = await Promise.allSettled([world.dial(n2, n1), world.dial(clone, n1)]);
    await world.pass(100);
    assert.equal(n1.host.links.list().length, 1);
    assert.deepEqual(n1.changes, ["up n2"]);
    const linked = [n2, clone].filter((node) => node.link(n1) !== undefined);
    assert.equal(linked.length, 1);
    assert.ok(results.some(({ status }) => status === "fulfilled"));
  });
});

Deno.test("link: a peer cannot open conduits without end", async () => {
  await twoNodes(async (world, n1, n2) => {
    const pending: Promise<unknown>[] = [];
    for (let i = 0; i < LINK_CONDUITS_MAX; i++) {
      const link = await world.dial(n1, n2);
      // Keeps each of them alive.
      pending.push(link.request("probe.slow", { ms: 60_000 }).catch(() => {}));
      await world.pass(1);
    }
    await assert.rejects(world.dial(n1, n2), (error: Error & { reason?: string }) => {
      assert.equal(error.reason, "quota");
      assert.ok(error.message.includes(`${LINK_CONDUITS_MAX} is the most`), error.message);
      return true;
    });
    await n1.link(n2)?.close("enough");
    await Promise.all(pending);
  });
});

async function readAll(link: Link): Promise<number> {
  const bulk = await link.bulk();
  const call = bulk.stream("probe.items", undefined, { priority: PRIORITY.bulk });
  let count = 0;
  for await (const item of call) assert.deepEqual(item, numbered(65_536, count++));
  return await call.reply as number;
}

Deno.test("bulk: opens from the end that dialled, and from the end that was dialled", async () => {
  await twoNodes(async (world, n1, n2) => {
    await world.dial(n1, n2);
    for (const [from, to] of [[n1, n2], [n2, n1]] as const) {
      const bulk = await from.link(to)!.bulk();
      assert.notEqual(bulk, from.link(to)!.carrier.calls);
      assert.equal(await from.link(to)!.bulk(), bulk);
      assert.equal(await readAll(from.link(to)!), 40);
    }
    assert.deepEqual([n1.link(n2)?.size, n2.link(n1)?.size], [2, 2]);
    assert.deepEqual([n1.changes, n2.changes], [["up n2"], ["up n1"]]);
  });
});

Deno.test("bulk: is opened once, however many ask at both ends at once", async () => {
  for (const first of ["dialler", "dialled"]) {
    await twoNodes(async (world, n1, n2) => {
      await world.dial(n1, n2);
      const [dialler, dialled] = [n1.link(n2)!, n2.link(n1)!];
      const order = first === "dialler" ? [dialler, dialled] : [dialled, dialler];
      const opened = await Promise.all([...order, ...order].map((link) => link.bulk()));
      assert.equal(new Set(opened).size, 2);
      assert.deepEqual([dialler.size, dialled.size], [2, 2]);
      assert.deepEqual(await Promise.all([readAll(dialler), readAll(dialled)]), [40, 40]);
    });
  }
});

Deno.test("bulk: lost, it is opened anew, and the link does not notice", async () => {
  await twoNodes(async (world, n1, n2) => {
    await world.dial(n1, n2);
    for (const link of [n1.link(n2)!, n2.link(n1)!]) {
      const first = await link.bulk();
      await (first as unknown as { close(text: string): Promise<void> }).close("lost");
      await world.pass(5);
      assert.notEqual(await link.bulk(), first);
      assert.equal(await readAll(link), 40);
    }
    assert.deepEqual([n1.changes, n2.changes], [["up n2"], ["up n1"]]);
  });
});

Deno.test("bulk: ends with its link, at both ends", async () => {
  await twoNodes(async (world, n1, n2) => {
    const link = await world.dial(n1, n2);
    const bulk = await link.bulk();
    await link.close("enough");
    await world.pass(10);
    await assert.rejects(bulk.request("core.ping"), { class: "unreachable" });
    assert.deepEqual([n1.host.links.list(), n2.host.links.list()], [[], []]);
    await assert.rejects(link.bulk());
  });
});

Deno.test("bulk: that cannot be opened fails who asked, and can be asked for again", async () => {
  await twoNodes(async (world, n1, n2) => {
    await world.dial(n1, n2);
    world.simulation.link("n1", "n2", { refused: true });
    await assert.rejects(n1.link(n2)!.bulk(), { reason: "refused" });
    await assert.rejects(n2.link(n1)!.bulk(), (error: CallError) => error.class === "failed");
    world.simulation.link("n1", "n2", { refused: false });
    assert.equal(await readAll(n2.link(n1)!), 40);
    assert.equal(await readAll(n1.link(n2)!), 40);
  });
});

Deno.test("bulk: conduits without a link are closed", async () => {
  await twoNodes(async (world, n1, n2) => {
    await assert.rejects(n1.host.links.dial(n2.endpoint, { bulk: true }), {
      message: 'Link to "n2" is gone',
    });
    await world.pass(10);
    assert.deepEqual([n1.host.links.list(), n2.host.links.list()], [[], []]);
    assert.ok(n2.logged.some((line) => line.includes('Conduit not taken: Link to "n1" is gone')));
  });
});

Deno.test("watcher of links: one that throws is logged and harms nobody, one that left is not called", async () => {
  await twoNodes(async (world, n1, n2) => {
    const seen: string[] = [];
    n1.host.links.watch(() => {
      throw new Error("bad watcher");
    });
    const watching = n1.host.links.watch(({ kind }) => seen.push(kind));
    const link = await world.dial(n1, n2);
    watching[Symbol.dispose]();
    await link.close("enough");
    assert.deepEqual([seen, n1.changes.length], [["up"], 2]);
    assert.ok(n1.logged.includes("error links: Watcher of links failed: bad watcher"));
  });
});
