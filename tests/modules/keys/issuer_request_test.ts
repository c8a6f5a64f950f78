/** What a registrar may say when its issuer is exchanged, and what comes of it. */

import assert from "node:assert/strict";
import {
  type IssuerConstraint,
  NO_REVOCATIONS,
  parseCertificate,
  type Revocations,
  signCertificate,
} from "../../../core/mod.ts";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { checkIssuerRequest } from "../../../modules/keys/issuer_request.ts";
import { publicKeysOf } from "../../../modules/shared/authority.ts";
import {
  certifyIssuer,
  homeGroups,
  makeIssuer,
  registrarGroups,
} from "../../../modules/shared/issuer.ts";
import { parseMeshFile } from "../../../modules/shared/mesh_file.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { DAY_MS, MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";

async function scene() {
  const clock = new ManualClock();
  const primitives = await testPrimitives();
  const { random } = createRealEnvironment();
  const keys = new MeshKeys(primitives, { random, now: () => clock.now() });
  const { meshId, rootPublicKey, rootSeed, psk } = keys;
  const root = { meshId, rootPublicKey, rootSeed, psk };
  const needs = () => ({ primitives, random, now: clock.now() });
  const issuer = (name: string, types: IssuerConstraint["types"]) =>
    makeIssuer(root, needs(), { name, types, groups: ["compute"] }).certificate;
  const key = random.bytes(64);
  const request = signCertificate(primitives, {
    issuerSeed: key.slice(0, 32),
    fields: {
      type: "request",
      serial: 0n,
      meshId,
      name: "reg",
      ...publicKeysOf(primitives, key),
      notBefore: clock.now(),
      notAfter: clock.now() + DAY_MS,
      groups: [],
    },
  }).bytes;
  const check = (present: Uint8Array, revocations: Revocations = NO_REVOCATIONS) =>
    checkIssuerRequest({ request, present }, {
      ...needs(),
      registrar: "reg",
      authority: root,
      revocations,
    });
  return { clock, primitives, keys, root, needs, issuer, check };
}

// A registrar that showed the home's issuer was given a certificate to make users with.
Deno.test("issuer request: a registrar shows an issuer of its own, and no other", async () => {
  const { clock, primitives, keys, issuer, check } = await scene();
  const cases: [present: Uint8Array, text: RegExp][] = [
    [issuer("issuer", ["node", "user"]), /an issuer "issuer" for node and user, which is not its/],
    [issuer("reg", ["node", "user"]), /an issuer "reg" for node and user, which is not its own/],
    [issuer("other", ["node"]), /an issuer "other" for node, which is not its own/],
    [keys.person({ name: "reg" }).identity.certificate.bytes, /is of type node, wanted is issuer/],
  ];
  for (const [present, message] of cases) assert.throws(() => check(present), { message });
  const present = issuer("reg", ["node"]);
  const { keyId } = parseCertificate(primitives, present);
  await clock.advance(400 * DAY_MS);
  const { formerKeyId, formerGroups } = check(present);
  assert.deepEqual([formerKeyId, formerGroups], [keyId, ["compute"]]);
  assert.deepEqual(check(present, { isRevoked: (id) => id === keyId }).formerGroups, []);
});

Deno.test("issuer request: groups come from the mesh file as it is now", async () => {
  const { primitives, root, needs, issuer, check } = await scene();
  const mesh = parseMeshFile(
    'name = "lab"\n[[hosts]]\nnames = "n1"\ngroups = ["new", "ops"]\n' +
      '[[policy.allow]]\nwho = ["group:people"]\nverbs = ["exec.run"]\non = ["*"]\nas = ["$user"]\n',
    { file: "mesh.toml" },
  );
  const asked = check(issuer("reg", ["node"]));
  const certificate = certifyIssuer(root, needs(), {
    name: "reg",
    types: ["node"],
    groups: [...registrarGroups(mesh), ...asked.formerGroups],
    signPublicKey: asked.signPublicKey,
    dhPublicKey: asked.dhPublicKey,
  });
  const { constraint, keyId } = parseCertificate(primitives, certificate);
  assert.equal(keyId, asked.keyId);
  assert.deepEqual(constraint?.types, ["node"]);
  assert.deepEqual(constraint?.groups, ["compute", "gateway", "new"]);
  assert.deepEqual(homeGroups(mesh), ["new", "ops", "gateway", "people", "registrar"]);
});
