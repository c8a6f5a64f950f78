/** Group operations over whole daemons while ways and nodes fail, one kind of failure at a time. */

import assert from "node:assert/strict";
import { parseRequest } from "../../core/security/request.ts";
import { SUSPECT_MS } from "../../modules/group/limits.ts";
import type { Unheard } from "../../modules/shared/mesh_view.ts";
import { MeshSimulation } from "./mesh_simulation.ts";

async function agreed(seed: number, nodes: number): Promise<MeshSimulation> {
  const mesh = await MeshSimulation.start({ seed, nodes });
  await mesh.untilAgreed();
  return mesh;
}

function runs(mesh: MeshSimulation, name: string, signed: Uint8Array): number {
  const { requestId } = parseRequest(signed);
  return mesh.node(name).lives.reduce((sum, { tally }) => sum + (tally.get(requestId) ?? 0), 0);
}

Deno.test("simulated group: one signed order through three origins at once runs once on each", async () => {
  const mesh = await agreed(1, 8);
  const signed = mesh.keys.sign(mesh.user, { verb: "tally.add", args: { ms: 300 } });
  const calls = ["n1", "n4", "n8"].map((from) => mesh.call(from, { signed }));
  for (const { counts } of await mesh.finish(Promise.all(calls))) assert.equal(counts.answered, 8);
  for (const { name } of mesh.nodes) assert.equal(runs(mesh, name, signed), 1);
  await mesh.stopAll();
});

Deno.test("simulated group: behind a link that dies half-open, the order runs once and is answered", async () => {
  const mesh = await agreed(2, 6);
  // What n1 sends to n2 is lost; n1 notices the silence and sends again by another way.
  mesh.simulation.block("n1", "n2");
  const signed = mesh.keys.sign(mesh.user, { verb: "tally.add", args: { ms: 0 } });
  const { counts, failures } = await mesh.finish(
    mesh.call("n1", { signed }),
  );
  assert.equal(counts.answered, 6, JSON.stringify([...failures.values()]));
  for (const { name } of mesh.nodes) assert.equal(runs(mesh, name, signed), 1);
  mesh.simulation.heal();
  await mesh.untilAgreed();
  assert.equal(runs(mesh, "n2", signed), 1, "the copy that was stuck does not run either");
  await mesh.stopAll();
});

Deno.test("simulated group: a frozen target costs the deadline and nothing more, and may have run", async () => {
  const mesh = await agreed(3, 6);
  const begun = mesh.simulation.now;
  mesh.simulation.freeze("n6");
  const result = await mesh.finish(
    mesh.call("n1", { steps: [{ verb: "core.ping" }], deadlineMs: 3_000 }),
  );
  assert.equal(result.counts.answered, 5);
  const { set, ran } = result.failures.get("n6") ?? {};
  assert.deepEqual([set, ran], ["timedOut", "maybe"]);
  assert.ok(mesh.simulation.now - begun <= 5_000, `${mesh.simulation.now - begun} ms`);
  mesh.simulation.thaw("n6");
  await mesh.untilAgreed();
  await mesh.stopAll();
});

// It was called silent since its link was given up, which is when it had been silent for long.
Deno.test("simulated group: a relay that is silent is so since it was heard last", async () => {
  const mesh = await agreed(4, 6);
  const { clock } = mesh.simulation.host("n1");
  const frozenAt = clock.now();
  mesh.simulation.freeze("n6");
  const { failures } = await mesh.finish(
    mesh.call("n1", {
      steps: [{ verb: "core.ping" }],
      startBy: frozenAt + 30_000,
      deadlineMs: 30_000,
    }),
  );
  const { reason, since = Infinity } = failures.get("n6") ?? {};
  assert.equal(reason, 'Node "n6" is silent');
  assert.ok(Math.abs(since - frozenAt) <= SUSPECT_MS, `${since - frozenAt} ms after it froze`);
  mesh.simulation.thaw("n6");
  await mesh.untilAgreed();
  await mesh.stopAll();
});

Deno.test("simulated group: behind a relay that freezes, all are reached before their latest start", async () => {
  const mesh = await agreed(5, 5);
  mesh.simulation.partition(["n1"], ["n4", "n5"]);
  await mesh.run({ forMs: 8_000 });
  const { picture } = mesh.node("n1").running!;
  const way = picture!.wayTo(mesh.node("n4").keyId);
  assert.equal(way?.distance, 2);
  const relay = picture!.byKey(way.next)!.name;
  const begun = mesh.simulation.now;
  mesh.simulation.freeze(relay);
  const signed = mesh.keys.sign(mesh.user, { verb: "tally.add", args: { ms: 0 } });
  const calling = mesh.call("n1", { signed, deadlineMs: 4_000 });
  const { counts, answered } = await mesh.finish(calling);
  assert.ok(answered.has("n4") && answered.has("n5"), [...answered].join());
  assert.equal(counts.answered, 4);
  // The relay itself costs the time that was given, and the slack for accounts.
  assert.ok(mesh.simulation.now - begun <= 6_000);
  mesh.simulation.thaw(relay);
  mesh.simulation.heal();
  await mesh.untilAgreed();
  assert.equal(runs(mesh, relay, signed), 1, "it was there before the latest start");
  await mesh.stopAll();
});

// A busy machine that did not answer for two seconds was given up, though nothing could be sent again.
Deno.test("simulated group: who is slow for a while in the middle of much input still gets all of it", async () => {
  const mesh = await agreed(7, 5);
  const count = 40;
  const input = async function* () {
    for (let i = 0; i < count; i++) {
      if (i === count / 2) {
        mesh.simulation.freeze("n3");
        mesh.simulation.after(3_500, () => mesh.simulation.thaw("n3"));
      }
      yield await Promise.resolve(new Uint8Array(100_000));
    }
  };
  const args = { id: "input", items: count, bytes: 0, everyMs: 0 };
  const { values, failures } = await mesh.finish(
    mesh.call("n1", {
      steps: [{ verb: "traffic.take", args }],
      input: input(),
      deadlineMs: 60_000,
    }),
  );
  assert.deepEqual([[...failures.values()], values.size], [[], 5]);
  for (const taken of values.values()) assert.equal(taken, count);
  await mesh.stopAll();
});

// Clocks may be half a minute apart; a relay that slept through the latest start used to begin all the same.
Deno.test("simulated group: who wakes after the latest start runs nothing, whatever its clock shows", async () => {
  for (const skewMs of [0, -20_000, 20_000]) {
    const mesh = await agreed(6, 3);
    mesh.simulation.skew("n3", skewMs);
    // Long enough that each end has heard the other's clock.
    await mesh.run({ forMs: 60_000 });
    const signed = mesh.keys.sign(mesh.user, { verb: "tally.add", args: { ms: 0 } });
    assert.equal((await mesh.finish(mesh.call("n1", { signed }))).counts.answered, 3);
    mesh.simulation.freeze("n3");
    const late = mesh.keys.sign(mesh.user, { verb: "tally.add", args: { ms: 0 } });
    const { failures } = await mesh.finish(mesh.call("n1", { signed: late, deadlineMs: 4_000 }));
    assert.deepEqual([...failures.keys()], ["n3"]);
    await mesh.run({ forMs: 8_000 });
    mesh.simulation.thaw("n3");
    await mesh.untilAgreed();
    assert.equal(runs(mesh, "n3", late), 0, `with a clock ${skewMs} ms off`);
    await mesh.stopAll();
  }
});

// Whoever was frozen for less than two seconds began all the same, however little time there was to begin.
Deno.test("simulated group: who is frozen for a moment only is timed out by the time to begin, and runs nothing", async () => {
  for (const skewMs of [0, -20_000, 20_000]) {
    const mesh = await agreed(8, 3);
    mesh.simulation.skew("n3", skewMs);
    await mesh.run({ forMs: 60_000 });
    const { clock } = mesh.simulation.host("n1");
    for (const frozenMs of [200, 1_200, 3_000]) {
      mesh.simulation.freeze("n3");
      mesh.simulation.after(frozenMs, () => mesh.simulation.thaw("n3"));
      const signed = mesh.keys.sign(mesh.user, { verb: "tally.add", args: { ms: 0 } });
      const startBy = clock.now() + 100;
      const { failures } = await mesh.finish(mesh.call("n1", { signed, startBy }));
      assert.equal(failures.size, 1);
      assert.equal(failures.get("n3")?.set, "timedOut", failures.get("n3")?.reason);
      await mesh.run({ forMs: 10_000 });
      await mesh.untilAgreed();
      const about = `frozen for ${frozenMs} ms, with a clock ${skewMs} ms off`;
      assert.equal(runs(mesh, "n3", signed), 0, about);
    }
    await mesh.stopAll();
  }
});

Deno.test("simulated group: whoever has begun may take longer than it had to begin, also behind relays", async () => {
  const mesh = await agreed(5, 5);
  mesh.simulation.partition(["n1"], ["n4", "n5"]);
  await mesh.run({ forMs: 8_000 });
  const signed = mesh.keys.sign(mesh.user, { verb: "tally.add", args: { ms: 9_000 } });
  const startBy = mesh.simulation.host("n1").clock.now() + 500;
  const { counts, failures } = await mesh.finish(mesh.call("n1", { signed, startBy }));
  assert.equal(counts.answered, 5, JSON.stringify([...failures.values()]));
  await mesh.stopAll();
});

/** n1 reaches n4 and n5 over one of two relays, which is given too. */
async function behindRelays(seed: number): Promise<{ mesh: MeshSimulation; relay: string }> {
  const mesh = await agreed(seed, 5);
  mesh.simulation.partition(["n1"], ["n4", "n5"]);
  await mesh.run({ forMs: 8_000 });
  const { picture } = mesh.node("n1").running!;
  const way = picture!.wayTo(mesh.node("n4").keyId);
  assert.equal(way?.distance, 2);
  return { mesh, relay: picture!.byKey(way.next)!.name };
}

// Nothing was sent again after the time to begin: a program that had run for ten minutes was told as
// unreachable when its relay died, and ended, though there was another way to it.
Deno.test("simulated group: a way that is lost long after the latest start is gone round, whether it still runs or not", async () => {
  const losses = {
    "the relay dies": (mesh: MeshSimulation, relay: string) => mesh.kill(mesh.node(relay)),
    "nothing of it arrives": (mesh: MeshSimulation, relay: string) =>
      mesh.simulation.block(relay, "n1"),
  };
  for (const [what, lose] of Object.entries(losses)) {
    for (const runsMs of [90_000, 60_500]) {
      const { mesh, relay } = await behindRelays(5);
      const signed = mesh.keys.sign(mesh.user, { verb: "tally.add", args: { ms: runsMs } });
      const calling = mesh.call("n1", { signed, deadlineMs: 300_000 });
      await mesh.run({ forMs: 60_000 });
      lose(mesh, relay);
      const { answered, failures } = await mesh.finish(calling);
      const story = `${what}, ${runsMs} ms: ${JSON.stringify([...failures])}`;
      for (const name of ["n4", "n5"]) {
        assert.ok(answered.has(name), story);
        assert.equal(runs(mesh, name, signed), 1, story);
      }
      await mesh.stopAll();
    }
  }
});

Deno.test("simulated group: a target that stalls in the middle of a long run is answered, and runs it once", async () => {
  const mesh = await agreed(9, 5);
  for (const frozenMs of [1_500, 2_500, 3_500]) {
    const signed = mesh.keys.sign(mesh.user, { verb: "tally.add", args: { ms: 60_000 } });
    const calling = mesh.call("n1", { signed, deadlineMs: 300_000 });
    await mesh.run({ forMs: 20_000 });
    mesh.simulation.freeze("n4");
    mesh.simulation.after(frozenMs, () => mesh.simulation.thaw("n4"));
    const { answered, failures } = await mesh.finish(calling);
    assert.equal(answered.size, 5, `${frozenMs} ms: ${JSON.stringify([...failures])}`);
    assert.equal(runs(mesh, "n4", signed), 1);
    await mesh.untilAgreed();
  }
  await mesh.stopAll();
});

// A daemon that had heard of it, and would show it as down two seconds later, said "no node" meanwhile.
Deno.test("simulated group: who is heard of and not shown yet is waited for, and told as down where it is", async () => {
  const mesh = await agreed(10, 4);
  mesh.kill(mesh.node("n1"));
  mesh.kill(mesh.node("n4"));
  await mesh.run({ forMs: 20_000 });
  mesh.simulation.partition(["n1"], ["n2", "n3"]);
  await mesh.finish(mesh.node("n1").start(mesh.peersOf(mesh.node("n1"))));
  await mesh.run({ forMs: 10_000 });
  mesh.simulation.heal();
  const { running } = mesh.node("n1");
  for (let coming: unknown[] = []; coming.length === 0;) {
    await mesh.run({ forMs: 10 });
    const asked = running!.mesh.request("mesh.unheard", { names: ["n4"] });
    coming = (await mesh.finish(asked) as Unheard).coming ?? [];
  }
  assert.equal(running?.picture?.byName("n4"), undefined, "it is shown later");
  const ask = (targets: string, expected: string) =>
    mesh.call("n1", { steps: [{ verb: "core.ping" }], targets, expected });
  const results = await mesh.finish(Promise.all([ask("n[2,4]", "n4"), ask("n[2,4]", "")]));
  for (const { counts, failures } of results) {
    const { set, reason, ran } = failures.get("n4") ?? {};
    assert.deepEqual([counts.answered, set, reason, ran], [1, "unreachable", "Down", "never"]);
  }
  await assert.rejects(mesh.finish(ask("n5", "")), { message: /^The mesh has no node "n5"/ });
  await mesh.stopAll();
});

/** A mesh in which nothing of n2 arrives at n1, and how long n1 needs to give up the link, in ms. */
async function deafened(): Promise<{ mesh: MeshSimulation; givesUpMs: () => Promise<number> }> {
  const mesh = await agreed(4, 5);
  const { keyId } = mesh.node("n2");
  mesh.simulation.block("n2", "n1");
  const since = mesh.simulation.now;
  const givesUpMs = async () => {
    await mesh.runUntil(() => mesh.node("n1").running?.picture?.wayTo(keyId)?.distance !== 1);
    return mesh.simulation.now - since;
  };
  return { mesh, givesUpMs };
}

// A way back was lost, so the link was given up; the copy sent again came after the deadline and was
// told as never started, although the first one had been carried out.
Deno.test("simulated group: what may have run is never told as never started", async () => {
  const rehearsal = await deafened();
  const givesUpMs = await rehearsal.givesUpMs();
  await rehearsal.mesh.stopAll();

  const { mesh } = await deafened();
  const signed = mesh.keys.sign(mesh.user, { verb: "tally.add", args: { ms: 0 } });
  // The link is given up while the order is under way.
  await mesh.run({ forMs: givesUpMs - 200 });
  const { failures } = await mesh.finish(mesh.call("n1", { signed, deadlineMs: 400 }));
  const { set, ran, reason } = failures.get("n2") ?? {};
  assert.deepEqual([set, ran, reason], ["timedOut", "maybe", "Time was over"]);
  assert.equal(runs(mesh, "n2", signed), 1);
  await mesh.stopAll();
});
