import assert from "node:assert/strict";
import { prepareKeys, preparePolicy } from "../../../modules/shared/mesh_setup.ts";
import { loadUser } from "../../../modules/shared/credentials.ts";
import { type MeshFile, parseMeshFile } from "../../../modules/shared/mesh_file.ts";
import { HomeWorld } from "../../support/home_world.ts";
import { testPrimitives } from "../../support/mesh_keys.ts";

const DAY_MS = 86_400_000;

function mesh(more = ""): MeshFile {
  return parseMeshFile(`name = "lab"\n[[hosts]]\nnames = "n1"\n${more}`, { file: "hosts.toml" });
}

Deno.test("mesh setup: makes keys once; the user's certificate is renewed in its last week", async () => {
  await using world = new HomeWorld();
  const primitives = await testPrimitives();
  const home = await world.home();
  const first = await prepareKeys(world.env, primitives, home);
  const certificate = await home.require("user.cert");
  world.laterMs = 20 * DAY_MS;
  assert.deepEqual(await prepareKeys(world.env, primitives, home), first);
  assert.deepEqual(await home.require("user.cert"), certificate);
  const key = await home.require("user.key");
  for (const days of [24, 100]) {
    world.laterMs = days * DAY_MS;
    assert.deepEqual(await prepareKeys(world.env, primitives, home), first);
    assert.notDeepEqual(await home.require("user.cert"), certificate);
    assert.deepEqual(await home.require("user.key"), key);
    const now = Math.floor(world.env.clock.now());
    const { identity } = await loadUser(home, { primitives, random: world.env.random, now });
    assert.deepEqual([...identity.groups], ["ops"]);
  }
});

Deno.test("mesh setup: what a full disk kept from being written is made by the next boot", async () => {
  await using world = new HomeWorld();
  const primitives = await testPrimitives();
  const home = await world.home();
  const first = await prepareKeys(world.env, primitives, home);
  const needs = { primitives, random: world.env.random, now: Math.floor(world.env.clock.now()) };
  for (const files of [["user.cert"], ["user.key", "user.cert"], ["root.pub", "user.key"]]) {
    for (const file of files) await Deno.remove(`${home.folder}/${file}`);
    assert.deepEqual(await prepareKeys(world.env, primitives, home), first);
    await loadUser(home, needs);
  }
  // Before the root key there was no mesh.
  for (const file of ["root.key", "root.pub", "user.key", "user.cert"]) {
    await Deno.remove(`${home.folder}/${file}`);
  }
  assert.notDeepEqual(await prepareKeys(world.env, primitives, home), first);
});

Deno.test("mesh setup: who only uses the mesh cannot admit nodes", async () => {
  await using world = new HomeWorld();
  const primitives = await testPrimitives();
  const home = await world.home();
  await prepareKeys(world.env, primitives, home);
  await Deno.remove(`${home.folder}/root.key`);
  await assert.rejects(prepareKeys(world.env, primitives, home), {
    message: 'The home of mesh "lab" has no root key: it cannot admit nodes',
  });
});

Deno.test("mesh setup: the same policy stays the same document, another one is newer", async () => {
  await using world = new HomeWorld();
  const primitives = await testPrimitives();
  const home = await world.home();
  const authority = await prepareKeys(world.env, primitives, home);
  const make = (file: MeshFile) =>
    preparePolicy(world.env, primitives, { home, authority, mesh: file });
  const first = await make(mesh());
  world.laterMs = DAY_MS;
  assert.deepEqual(await make(mesh()), first);
  const given = mesh(
    `[[policy.allow]]\nwho = ["group:ops"]\nverbs = ["*"]\non = ["*"]\nas = ["root"]\n`,
  );
  const second = await make(given);
  assert.notDeepEqual(second, first);
  assert.deepEqual(await make(given), second);
  // u32 version behind the magic and the mesh id.
  const versionOf = (bytes: Uint8Array) =>
    new DataView(bytes.buffer, bytes.byteOffset).getUint32("minime-policy-v1\0".length + 16);
  assert.deepEqual([versionOf(first), versionOf(second)], [1, 2]);
});
