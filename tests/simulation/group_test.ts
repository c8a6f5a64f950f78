/** Group operations over whole daemons while ways and nodes fail, one kind of failure at a time. */

import assert from "node:assert/strict";
import { parseRequest } from "../../core/security/request.ts";
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
  // What n1 sends to n2 is lost; n1 notices after some seconds and sends again by another way.
  mesh.simulation.block("n1", "n2");
  const signed = mesh.keys.sign(mesh.user, { verb: "tally.add", args: { ms: 0 } });
  const { counts, failures } = await mesh.finish(
    mesh.call("n1", { signed, startBy: inTime(mesh) }),
  );
  assert.equal(counts.answered, 6, JSON.stringify([...failures.values()]));
  for (const { name } of mesh.nodes) assert.equal(runs(mesh, name, signed), 1);
  mesh.simulation.heal();
  await mesh.untilAgreed();
  assert.equal(runs(mesh, "n2", signed), 1, "the copy that was stuck does not run either");
  await mesh.stopAll();
});

/** Later than it takes to notice a silent link. */
function inTime(mesh: MeshSimulation): number {
  return mesh.unixMs + 20_000;
}

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

// A way back was lost, so the link was given up; the copy sent again came after the deadline and was
// told as never started, although the first one had been carried out.
Deno.test("simulated group: what may have run is never told as never started", async () => {
  const mesh = await agreed(4, 5);
  const signed = mesh.keys.sign(mesh.user, { verb: "tally.add", args: { ms: 0 } });
  mesh.simulation.block("n2", "n1");
  await mesh.run({ forMs: 4_700 });
  const { failures } = await mesh.finish(mesh.call("n1", { signed, deadlineMs: 400 }));
  const { set, ran, reason } = failures.get("n2") ?? {};
  assert.deepEqual([set, ran, reason], ["timedOut", "maybe", "Time was over"]);
  assert.equal(runs(mesh, "n2", signed), 1);
  await mesh.stopAll();
});
