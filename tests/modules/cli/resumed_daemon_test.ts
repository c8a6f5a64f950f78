import assert from "node:assert/strict";
import { leave, resume } from "../../../modules/cli/resumed_daemon.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";

const NOW = 1_800_000_000_000;
const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };

/** What the next life gets of what this one leaves, changed on the way. */
async function livesOn(change: (left: Record<string, unknown>) => void = () => {}) {
  const primitives = await testPrimitives();
  const keys = new MeshKeys(primitives, { random, now: () => NOW });
  const self = keys.person({ name: "n1" });
  const facts = {
    segment: "default",
    endpoints: ["tcp:10.0.0.1:7117"],
    listen: ["tcp:0.0.0.0:7117"],
    incarnation: 3,
    ran: [{ keyId: "ab".repeat(32), requestId: "cd".repeat(16), untilMs: NOW + 60_000 }],
  };
  const left = JSON.parse(
    new TextDecoder().decode(leave(self, keys.trust(), { facts, nodes: [] })),
  );
  change(left);
  const bytes = new TextEncoder().encode(JSON.stringify(left));
  const env = {
    clock: { now: () => NOW },
    random,
    processes: { handedOver: () => ({ bytes, forget: () => {} }) },
  } as unknown as Parameters<typeof resume>[0];
  const resumed = resume(env, primitives);
  assert.ok(resumed !== undefined);
  return { self, facts, resumed };
}

Deno.test("resumed daemon: is the same node, and knows what it ran", async () => {
  const { self, facts, resumed } = await livesOn();
  assert.equal(resumed.self.identity.keyId, self.identity.keyId);
  const { segment, endpoints, listen, incarnation, ran } = resumed;
  assert.deepEqual({ segment, endpoints, listen, incarnation, ran }, facts);
});

Deno.test("resumed daemon: an older program leaves nothing of what it ran", async () => {
  const { resumed } = await livesOn((left) => delete left.ran);
  assert.deepEqual(resumed.ran, []);
});
