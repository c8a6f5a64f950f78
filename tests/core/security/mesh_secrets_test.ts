/** The document that changes the mesh's PSK: who may sign it, and what is accepted when. */

import assert from "node:assert/strict";
import {
  findSecret,
  MinimeError,
  pskIdOf,
  secretsAt,
  signMeshSecrets,
  verifyMeshSecrets,
} from "../../../core/mod.ts";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";

const NOW = 1_000_000;
const NEW = new Uint8Array(32).fill(7);

async function scene(former = true) {
  const primitives = await testPrimitives();
  const { random } = createRealEnvironment();
  const keys = new MeshKeys(primitives, { random, now: () => NOW });
  const { meshId, rootPublicKey, rootSeed, psk } = keys;
  const bytes = signMeshSecrets(primitives, {
    meshId,
    version: 3,
    issuedMs: NOW,
    psk: NEW,
    ...(former ? { former: { psk, untilMs: NOW + 1_000 } } : {}),
    rootSeed,
  });
  const verify = (bytes: Uint8Array) =>
    verifyMeshSecrets(primitives, { bytes, meshId, rootPublicKey });
  return { primitives, keys, bytes, verify };
}

Deno.test("mesh secrets: the old one is dialled with for half of the overlap, and accepted for all of it", async () => {
  const { primitives, keys, bytes, verify } = await scene();
  const trust = keys.trust({ secretsDocument: verify(bytes) });
  const at = (now: number) =>
    secretsAt(trust, now).map(({ psk }) => psk[0] === 7 && psk[31] === 7 ? "new" : "old");
  assert.deepEqual(at(NOW), ["old", "new"]);
  assert.deepEqual(at(NOW + 499), ["old", "new"]);
  assert.deepEqual(at(NOW + 500), ["new", "old"]);
  assert.deepEqual(at(NOW + 1_000), ["new", "old"]);
  assert.deepEqual(at(NOW + 1_001), ["new"]);
  const id = pskIdOf(primitives, keys.psk);
  assert.deepEqual(findSecret(trust, { id, now: NOW + 1_000 })?.psk, keys.psk);
  assert.equal(findSecret(trust, { id, now: NOW + 1_001 }), undefined);
  assert.deepEqual(secretsAt(keys.trust(), NOW).map(({ psk }) => psk), [keys.psk]);
});

Deno.test("mesh secrets: without an overlap the old one is refused at once", async () => {
  const { keys, bytes, verify } = await scene(false);
  const trust = keys.trust({ secretsDocument: verify(bytes) });
  assert.deepEqual(secretsAt(trust, NOW).map(({ psk }) => psk), [NEW]);
});

Deno.test("mesh secrets: only the root of this mesh can have signed them", async () => {
  const { primitives, keys, bytes, verify } = await scene();
  const document = verify(bytes);
  assert.deepEqual([document.version, document.issuedMs], [3, NOW]);
  const other = (await scene()).keys;
  const { meshId, rootPublicKey } = other;
  assert.throws(() => verifyMeshSecrets(primitives, { bytes, meshId, rootPublicKey }), {
    reason: "wrong-mesh",
  });
  const forged = { bytes, meshId: keys.meshId, rootPublicKey };
  assert.throws(() => verifyMeshSecrets(primitives, forged), {
    reason: "signature",
    message: "Mesh secrets are not signed by the mesh's root",
  });
  for (let at = 0; at < bytes.length; at++) {
    const mutant = bytes.slice();
    mutant[at] = (mutant[at] as number) ^ 1;
    assert.throws(() => verify(mutant), MinimeError);
  }
  assert.throws(() => verify(bytes.subarray(0, -1)), MinimeError);
  assert.throws(() => verify(new Uint8Array([...bytes, 0])), MinimeError);
});
