import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { identify } from "../../../modules/shared/node_keys.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { DAY_MS, MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";

Deno.test("node keys: a node whose issuer has ended is told that, and where new keys come from", async () => {
  const clock = new ManualClock();
  const primitives = await testPrimitives();
  const env = { ...createRealEnvironment(), clock };
  const mesh = new MeshKeys(primitives, { random: env.random, now: () => clock.now() });
  const { rootPublicKey, meshId, psk } = mesh;
  const issuer = mesh.person({ name: "reg", type: "issuer", notAfter: clock.now() + DAY_MS });
  const { identity, signSeed, dh } = mesh.person({ name: "n1", issuer });
  const key = new Uint8Array([...signSeed, ...dh.secret]);
  const keys = { folder: "/keys", key, chain: identity.chain, rootPublicKey, meshId, psk };
  assert.equal(identify(env, primitives, { keys, name: "n1" }).identity.keyId, identity.keyId);
  await clock.advance(2 * DAY_MS);
  assert.throws(() => identify(env, primitives, { keys, name: "n1" }), {
    name: "AuthenticationError",
    reason: "expired",
    message: 'Certificate of issuer "reg" expired 86400 s ago, and no registrar renews that: new ' +
      'keys come from "minime boot --install" or "minime mesh provision", where the mesh was made',
  });
});
