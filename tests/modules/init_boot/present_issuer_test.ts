/** Which issuer of an installed registrar stays, and which is made anew. */

import assert from "node:assert/strict";
import { parseCertificate, REVOKED_FOR_EVER, signRevocations } from "../../../core/mod.ts";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { wantedIssuerKey } from "../../../modules/init_boot/present_issuer.ts";
import { makeIssuer } from "../../../modules/shared/issuer.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { DAY_MS, MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";

async function makePlaces(folder: string) {
  const clock = new ManualClock();
  const primitives = await testPrimitives();
  const { random, files, processes } = createRealEnvironment();
  const mesh = new MeshKeys(primitives, { random, now: () => clock.now() });
  const { rootSeed, rootPublicKey, meshId, psk } = mesh;
  const issuer = () =>
    makeIssuer({ rootSeed, rootPublicKey, meshId, psk }, { primitives, random, now: clock.now() }, {
      name: "reg",
      types: ["node"],
      groups: [],
    });
  const stateFolder = `${folder}/state`;
  await Deno.mkdir(stateFolder);
  const write = (path: string, data: Uint8Array) =>
    Deno.writeFile(`${folder}/${path}`, data, { mode: 0o600 });
  const wanted = () =>
    wantedIssuerKey({ clock, files, processes, random }, primitives, { folder, stateFolder });
  const revoking = (certificate: Uint8Array) =>
    signRevocations(primitives, {
      rootSeed,
      meshId,
      version: 1,
      issuedMs: clock.now(),
      entries: [{ keyId: parseCertificate(primitives, certificate).keyId, time: REVOKED_FOR_EVER }],
    });
  return { clock, issuer, write, wanted, revoking, rootPublicKey };
}

Deno.test("present issuer: one that is good stays, and any other gets a key that was never used", async () => {
  const folder = await Deno.makeTempDir({ prefix: "minime-test-" });
  try {
    const { clock, issuer, write, wanted } = await makePlaces(folder);
    const fresh = await wanted();
    assert.equal(fresh?.length, 64);
    // The installation was cut short after the key.
    await write("registrar.key", fresh);
    assert.deepEqual(await wanted(), fresh);
    const first = issuer();
    await write("registrar.key", first.key);
    await write("registrar.cert", first.certificate);
    assert.equal(await wanted(), undefined);
    await clock.advance(300 * DAY_MS);
    assert.notDeepEqual(await wanted() ?? first.key, first.key);
    // It was exchanged since by the mesh itself.
    const { key, certificate } = issuer();
    await write("state/registrar.issuer", new Uint8Array([...key, ...certificate]));
    assert.equal(await wanted(), undefined);
    await clock.advance(366 * DAY_MS);
    assert.equal((await wanted())?.length, 64);
    await write("registrar.cert", first.certificate.slice(0, 9));
    assert.equal((await wanted())?.length, 64);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("present issuer: one that was revoked gets another key", async () => {
  const folder = await Deno.makeTempDir({ prefix: "minime-test-" });
  try {
    const { issuer, write, wanted, revoking, rootPublicKey } = await makePlaces(folder);
    const { key, certificate } = issuer();
    await write("root.pub", rootPublicKey);
    await write("registrar.key", key);
    await write("registrar.cert", certificate);
    for (const place of ["", "state/"]) {
      assert.equal(await wanted(), undefined);
      await write(`${place}revocations.signed`, revoking(certificate));
      assert.notDeepEqual(await wanted() ?? key, key);
      await Deno.remove(`${folder}/${place}revocations.signed`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
