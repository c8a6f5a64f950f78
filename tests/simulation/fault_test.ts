/** Each kind of fault does to a mesh what it says, and its end undoes it. */

import assert from "node:assert/strict";
import { FAULT_KINDS, type FaultKind, possibleKinds } from "./fault.ts";
import { MeshSimulation } from "./mesh_simulation.ts";

const SILENT_MS = 12_000;

async function meshOf(options: { nodes: number; segments?: number }): Promise<MeshSimulation> {
  const mesh = await MeshSimulation.start({ seed: 1, ...options });
  await mesh.untilAgreed();
  return mesh;
}

function begin(mesh: MeshSimulation, kind: FaultKind, draw: string) {
  const follow = (promise: Promise<void>) => void promise;
  const fault = FAULT_KINDS[kind]({ mesh, draw: mesh.simulation.random.fork(draw), follow });
  assert.ok(fault !== undefined, kind);
  return fault;
}

for (const kind of Object.keys(FAULT_KINDS) as FaultKind[]) {
  Deno.test(`fault ${kind}: who is gone or apart is missed, and all is well after its end`, async () => {
    const mesh = await meshOf({ nodes: 9, segments: kind === "gateway" ? 3 : 1 });
    const { gone, sides, end } = begin(mesh, kind, "one");
    const others = mesh.nodes.filter((node) => !gone.includes(node));
    await mesh.run({ forMs: SILENT_MS });
    for (const node of others) {
      const side = sides.find((set) => set.includes(node));
      const missed = [
        ...gone,
        ...sides.filter((set) => set !== side).flatMap((set) => side === undefined ? [] : set),
      ];
      for (const { name, keyId } of missed) {
        assert.notEqual(
          node.running?.picture?.byKey(keyId)?.state,
          "up",
          `${name} by ${node.name}`,
        );
      }
    }
    end();
    await mesh.untilAgreed();
    assert.equal(mesh.living.length, 9);
    await mesh.stopAll();
  });
}

Deno.test("fault bridge: over the one node that joins them both halves see each other", async () => {
  const mesh = await meshOf({ nodes: 9 });
  const { end } = begin(mesh, "bridge", "one");
  await mesh.run({ forMs: SILENT_MS });
  const hops = mesh.nodes.flatMap(({ running }) =>
    mesh.nodes.map(({ keyId }) => running?.picture?.wayTo(keyId)?.distance ?? 0)
  );
  assert.equal(Math.max(...hops), 2);
  for (const { running } of mesh.nodes) {
    for (const { state } of running?.picture?.nodes ?? []) assert.equal(state, "up");
  }
  end();
  await mesh.untilAgreed();
  await mesh.stopAll();
});

Deno.test("faults: gateways fail only where there are any", async () => {
  const [one, three] = [await meshOf({ nodes: 4 }), await meshOf({ nodes: 6, segments: 3 })];
  assert.ok(!possibleKinds(one).includes("gateway"));
  assert.ok(possibleKinds(three).includes("gateway"));
  await one.stopAll();
  await three.stopAll();
});
