import assert from "node:assert/strict";
import {
  AuthenticationError,
  parseCertificate,
  REVOKED_FOR_EVER,
  signRevocations,
  UsageError,
} from "../../../core/mod.ts";
import { issue, needsNow, publicKeysOf } from "../../../modules/shared/authority.ts";
import { USER_MS } from "../../../modules/shared/limits.ts";
import { makeIssuer } from "../../../modules/shared/issuer.ts";
import { prepareKeys } from "../../../modules/shared/mesh_setup.ts";
import {
  checkUserLife,
  isUserEnding,
  noteUser,
  renewOther,
  renewUser,
} from "../../../modules/shared/user_renewal.ts";
import { HomeWorld } from "../../support/home_world.ts";
import { DAY_MS, testPrimitives } from "../../support/mesh_keys.ts";

/** A mesh of which alice has got a certificate for three days. */
async function meshOfAlice(world: HomeWorld) {
  const primitives = await testPrimitives();
  const home = await world.home();
  const authority = await prepareKeys(world.env, primitives, home);
  const needs = () => needsNow(world.env, primitives);
  const [certificate] = issue(authority, needs(), {
    type: "user",
    name: "alice",
    groups: ["users"],
    unixUser: "al",
    validityMs: 3 * DAY_MS,
    ...publicKeysOf(primitives, world.env.random.bytes(64)),
  });
  await noteUser(home, primitives, certificate);
  const renew = (name = "alice") => renewOther(home, needs(), { name, authority });
  return { primitives, home, authority, needs, certificate, renew };
}

Deno.test("user renewal: people are told in the last week, of a short life in the last third", () => {
  const life = { notBefore: 0, notAfter: 30 * DAY_MS };
  assert.deepEqual([22, 24, 31].map((days) => isUserEnding(life, days * DAY_MS)), [
    false,
    true,
    true,
  ]);
  const short = { notBefore: 0, notAfter: 3 * DAY_MS };
  assert.deepEqual([1.9, 2.1].map((days) => isUserEnding(short, days * DAY_MS)), [false, true]);
});

Deno.test("user renewal: a life is not longer than that of people", () => {
  assert.equal(checkUserLife(USER_MS), USER_MS);
  assert.throws(() => checkUserLife(USER_MS + DAY_MS), {
    message: "A certificate of a person is valid for 30 d at most, not 31 d",
  });
});

Deno.test("user renewal: another certificate for the same key, name, groups and length of life", async () => {
  await using world = new HomeWorld();
  const { primitives, home, certificate, renew } = await meshOfAlice(world);
  world.laterMs = 20 * DAY_MS;
  const [bytes, issuer] = await renew();
  const [before, after] = [certificate, bytes].map((each) => parseCertificate(primitives, each));
  const kept = (one = before) =>
    [one?.keyId, one?.dhPublicKey, one?.name, one?.unixUser, one?.groups].join();
  assert.equal(kept(after), kept());
  assert.equal(issuer, undefined);
  assert.equal(after && after.notAfter - after.notBefore, 3 * DAY_MS);
  assert.ok((after?.notBefore ?? 0) > (before?.notAfter ?? 0));
  const [user, ...more] = await home.users();
  assert.deepEqual([user?.certificate, more], [bytes.toBase64(), []]);
});

Deno.test("user renewal: not for who is revoked, unknown, or known by name only", async () => {
  await using world = new HomeWorld();
  const { primitives, home, authority, renew, needs } = await meshOfAlice(world);
  await assert.rejects(renew("bob"), {
    name: "UsageError",
    message: 'Nobody called "bob" got a certificate from here',
  });
  const [user] = await home.users();
  assert.ok(user !== undefined);
  const { certificate: _, ...older } = user;
  await home.storeUsers([older]);
  await assert.rejects(renew(), /was made by an older minime, and not kept/);
  await home.storeUsers([user]);
  const revoke = async (keyId: string) =>
    await home.store(
      "revocations.signed",
      signRevocations(primitives, {
        meshId: authority.meshId,
        version: 1,
        issuedMs: 0,
        entries: [{ keyId, time: REVOKED_FOR_EVER }],
        rootSeed: authority.rootSeed as Uint8Array,
      }),
    );
  await revoke(user.keyId);
  await assert.rejects(renew(), { reason: "revoked", message: 'All keys of "alice" are revoked' });
  const own = await home.require("user.cert");
  await revoke(parseCertificate(primitives, own).keyId);
  world.laterMs = 40 * DAY_MS;
  await assert.rejects(
    renewUser(home, needs()),
    (error) => error instanceof AuthenticationError && error.reason === "revoked",
  );
  assert.deepEqual(await home.require("user.cert"), own);
});

Deno.test("user renewal: an issuer renews nobody who may do everything", async () => {
  await using world = new HomeWorld();
  const { home, authority, needs } = await meshOfAlice(world);
  const groups = ["users"];
  const issuer = makeIssuer(authority, needs(), { name: "i", types: ["user"], groups });
  await home.store("issuer.key", issuer.key);
  await home.store("issuer.cert", issuer.certificate);
  await Deno.remove(home.path("root.key"));
  await assert.rejects(renewUser(home, needs()), (error) => error instanceof UsageError);
});
