/** The issuer of a registrar: what it signs, and what becomes of one that has ended. */

import assert from "node:assert/strict";
import { AuthenticationError } from "../../../core/mod.ts";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { RegistrarIssuer } from "../../../modules/keys/mod.ts";
import { issueNode } from "../../../modules/shared/authority.ts";
import { certifyIssuer, makeIssuer } from "../../../modules/shared/issuer.ts";
import { parseCertificate } from "../../../core/mod.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { DAY_MS, MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";

const BOUNDS = { name: "reg", types: ["node"], groups: ["compute"] } as const;

Deno.test("registrar issuer: one that has ended signs nothing, and is exchanged for another", async () => {
  const folder = await Deno.makeTempDir({ prefix: "minime-test-" });
  try {
    const clock = new ManualClock();
    const primitives = await testPrimitives();
    const { random, files, processes } = createRealEnvironment();
    const mesh = new MeshKeys(primitives, { random, now: () => clock.now() });
    const { meshId, rootPublicKey, rootSeed, psk } = mesh;
    const root = { meshId, rootPublicKey, rootSeed, psk };
    const needs = () => ({ primitives, random, now: clock.now() });
    const options = {
      env: { clock, files, processes, random },
      primitives,
      meshId,
      rootPublicKey,
      psk,
      first: makeIssuer(root, needs(), BOUNDS),
      path: `${folder}/registrar.issuer`,
    };
    const node = mesh.person({ name: "n1" }).identity;
    const sign = (issuer: RegistrarIssuer) =>
      issueNode(issuer.authority, { ...needs(), ...node, groups: [], validityMs: DAY_MS });
    assert.equal(sign(await RegistrarIssuer.open(options)).length, 2);
    await clock.advance(366 * DAY_MS);
    const ended = await RegistrarIssuer.open(options);
    assert.throws(() => sign(ended), {
      name: "AuthenticationError",
      reason: "expired",
      message: /^Certificate of issuer "reg" expired \d+ s ago$/,
    });
    const request = parseCertificate(primitives, ended.begin("reg"));
    const late = certifyIssuer(root, { ...needs(), now: clock.now() - 366 * DAY_MS }, {
      ...BOUNDS,
      ...request,
    });
    await assert.rejects(ended.install(late), AuthenticationError);
    await ended.install(certifyIssuer(root, needs(), { ...BOUNDS, ...request }));
    assert.equal(sign(ended).length, 2);
    assert.equal(sign(await RegistrarIssuer.open(options)).length, 2);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
