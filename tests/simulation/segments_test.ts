/** A simulated mesh of several segments: who can dial whom, and what the mesh makes of it. */

import assert from "node:assert/strict";
import { ConnectionError } from "../../core/mod.ts";
import { MeshSimulation } from "./mesh_simulation.ts";
import { NODE_PORT } from "./simulated_node.ts";

async function dial(mesh: MeshSimulation, from: string, to: string): Promise<string> {
  const { network } = mesh.simulation.process(from);
  try {
    const dialled = network.dial({ transport: "tcp", host: to, port: NODE_PORT });
    (await mesh.finish(dialled)).close();
    return "connected";
  } catch (error) {
    if (error instanceof ConnectionError) return error.reason;
    throw error;
  }
}

Deno.test("segments: only gateways dial across; others are refused by them, or hear nothing", async () => {
  const mesh = await MeshSimulation.start({ seed: 1, nodes: 6, segments: 2, gateways: 1 });
  assert.deepEqual(mesh.nodes.map(({ place: { segment, gateway } }) => [segment, gateway]), [
    ["s1", true],
    ["s1", false],
    ["s1", false],
    ["s2", true],
    ["s2", false],
    ["s2", false],
  ]);
  assert.equal(await dial(mesh, "n1", "n4"), "connected");
  assert.equal(await dial(mesh, "n2", "n3"), "connected");
  assert.equal(await dial(mesh, "n2", "n4"), "refused");
  assert.equal(await dial(mesh, "n5", "n2"), "timeout");
  await mesh.stopAll();
});

Deno.test("segments: all nodes of all segments know each other, over links of gateways alone", async () => {
  const mesh = await MeshSimulation.start({ seed: 2, nodes: 12, segments: 3, gateways: 2 });
  await mesh.untilAgreed();
  for (const { name, keyId, place } of mesh.nodes) {
    const links = mesh.node("n1").running?.picture?.byKey(keyId)?.links ?? [];
    const far = mesh.nodes.filter((node) =>
      links.includes(node.keyId) && node.place.segment !== place.segment
    );
    assert.ok(place.gateway ? far.every((node) => node.place.gateway) : far.length === 0, name);
  }
  const result = await mesh.finish(mesh.call("n12", { steps: [{ verb: "core.ping" }] }));
  assert.equal(result.counts.answered, 12);
  await mesh.stopAll();
});
