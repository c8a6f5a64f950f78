/** A large mesh of whole daemons: it forms, every run of one seed is the same, and nothing is left. */

import assert from "node:assert/strict";
import { VERSION } from "../../core/mod.ts";
import type { GroupResult } from "../../modules/shared/group_result.ts";
import { MeshSimulation } from "./mesh_simulation.ts";

/** After the orderly end, only what was under way: no timer of a daemon. */
const REST_MS_MAX = 10_000;

interface Run {
  readonly hash: string;
  readonly agreedMs: number;
  readonly events: number;
  readonly result: GroupResult;
}

/** Boots, agrees, asks everybody, stops, and looks for what is left. */
async function wholeLife(seed: number, nodes: number): Promise<Run> {
  const mesh = await MeshSimulation.start({ seed, nodes });
  const { simulation } = mesh;
  const agreedMs = await mesh.untilAgreed();
  const result = await mesh.finish(
    mesh.call(`n${nodes}`, {
      steps: [{ verb: "core.hello" }, { verb: "uptime.get" }],
      reduce: { kind: "list" },
    }),
  );
  const events = simulation.events;
  await mesh.stopAll();
  for (const { name } of mesh.nodes) assert.equal(simulation.handles(name), 0, name);
  const stoppedAt = simulation.now;
  await mesh.run({ eventsMax: 100_000 });
  assert.ok(simulation.now - stoppedAt < REST_MS_MAX, `${simulation.now - stoppedAt} ms`);
  const errors = mesh.log.filter(({ level }) => level === "error" || level === "warning");
  assert.deepEqual(errors, []);
  return { hash: simulation.trace.hash, agreedMs, events, result };
}

Deno.test("simulated mesh: 64 daemons agree, all answer, nothing leaks, and twice the same", async () => {
  const [one, again] = [await wholeLife(1, 64), await wholeLife(1, 64)];
  assert.equal(one.result.counts.answered, 64);
  for (const [name, [hello, uptime]] of one.result.values as Map<string, Answers>) {
    assert.equal(hello.name, name);
    assert.equal(uptime.host, name);
    // Four rings give eight links or a few less; those of the start go later.
    assert.ok(uptime.daemon.links >= 4 && uptime.daemon.links < 32, `${uptime.daemon.links} links`);
    assert.equal(uptime.daemon.version, VERSION);
  }
  assert.equal(again.hash, one.hash);
  assert.equal(again.events, one.events);
  assert.equal(again.agreedMs, one.agreedMs);
  assert.deepEqual(again.result, one.result);
});

type Answers = [
  { readonly name: string },
  { readonly host: string; readonly daemon: { readonly links: number; readonly version: string } },
];

Deno.test("simulated mesh: another seed is another history with the same end", async () => {
  const [one, other] = [await wholeLife(2, 8), await wholeLife(3, 8)];
  assert.notEqual(other.hash, one.hash);
  assert.deepEqual(other.result.answered, one.result.answered);
});

Deno.test("simulated mesh: a node that knows one other finds all, and is seen at once", async () => {
  const mesh = new MeshSimulation({ seed: 4, nodes: 9 });
  const late = mesh.node("n9");
  for (const node of mesh.nodes) {
    if (node !== late) await mesh.finish(node.start([mesh.node("n1").seed]));
  }
  await mesh.untilAgreed();
  await mesh.finish(late.start([mesh.node("n5").seed]));
  assert.ok(await mesh.untilAgreed() < 2_000);
  await mesh.stopAll();
});

Deno.test("simulated mesh: who dies without a word is down for all, with where it was lost", async () => {
  const mesh = await MeshSimulation.start({ seed: 5, nodes: 6 });
  await mesh.untilAgreed();
  const lost = mesh.node("n6");
  const { keyId } = lost;
  mesh.powerOff(lost);
  await mesh.untilAgreed();
  for (const { running } of mesh.living) {
    const view = running?.picture?.byKey(keyId);
    assert.equal(view?.state, "down");
    assert.ok(view?.lostAt !== undefined);
  }
  await mesh.stopAll();
});

Deno.test("simulated mesh: a node that comes back with a new key takes over its name", async () => {
  const mesh = await MeshSimulation.start({ seed: 6, nodes: 5 });
  await mesh.untilAgreed();
  const node = mesh.node("n2");
  const { keyId } = node;
  mesh.kill(node);
  await mesh.run({ forMs: 1_000 });
  await mesh.finish(node.start(mesh.livingPeersOf(node), { newKey: true }));
  await mesh.untilAgreed();
  for (const { running } of mesh.living) {
    assert.equal(running?.picture?.byKey(keyId), undefined, "the former key is forgotten");
    assert.equal(running?.picture?.byName("n2")?.keyId, node.keyId);
  }
  await mesh.stopAll();
});

// By old adverts of both ends there was a way to it, until the newer ones had come.
Deno.test("simulated mesh: who died during a partition is not up when it heals, not for a moment", async () => {
  const mesh = await MeshSimulation.start({ seed: 5, nodes: 8, path: { delayMs: 20 } });
  await mesh.untilAgreed();
  const [left, right] = [mesh.nodes.slice(0, 4), mesh.nodes.slice(4)];
  mesh.simulation.partition(left.map(({ name }) => name), right.map(({ name }) => name));
  await mesh.run({ forMs: 10_000 });
  mesh.powerOff(mesh.node("n8"));
  await mesh.run({ forMs: 10_000 });
  mesh.simulation.heal();
  const seen = new Set<string>();
  await mesh.runUntil(() => {
    for (const { running } of left) seen.add(`${running?.picture?.byName("n8")?.state}`);
    return mesh.disagreement() === undefined;
  }, { everyMs: 1 });
  assert.deepEqual([...seen], ["down"]);
  await mesh.stopAll();
});
