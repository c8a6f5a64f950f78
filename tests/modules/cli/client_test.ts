import assert from "node:assert/strict";
import { Client, User } from "../../../modules/cli/client.ts";
import { StreamOutput } from "../../../modules/cli/output.ts";
import { prepareKeys } from "../../../modules/shared/mesh_setup.ts";
import type { Calls } from "../../../core/mod.ts";
import { HomeWorld } from "../../support/home_world.ts";
import { testPrimitives } from "../../support/mesh_keys.ts";
import { quiet } from "../../support/wait.ts";
import { MemoryTerminal } from "./memory_terminal.ts";

async function newUser(world: HomeWorld): Promise<User> {
  const home = await world.home();
  await prepareKeys(world.env, await testPrimitives(), home);
  const out = new StreamOutput(new MemoryTerminal(), { plain: true, onBroken: () => {} });
  const { signal } = new AbortController();
  const needs = { env: world.env, out, signal, home: () => Promise.resolve(home) };
  return new User({ ...needs, warnOnce: () => {} }, home);
}

const CLOSED = { name: "ConnectionError", reason: "closed" };

// A command ended by what a timer threw, which found that the keys of a session had gone.
Deno.test("client: the keys go after everything that uses them, whoever ends first", async () => {
  await using world = new HomeWorld();
  const user = await newUser(world);
  const { primitives } = await user.load();
  const [dial, session] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const dialled = assert.rejects(user.using(dial.promise), /enough/);
  let isGone = false;
  const disposed = user.dispose().then(() => isGone = true);
  // What is begun while others end counts as well.
  void user.using(session.promise);
  dial.reject(new Error("enough"));
  await dialled;
  await quiet();
  assert.equal(primitives.sha256(new Uint8Array(1)).length, 32);
  assert.equal(isGone, false);
  session.resolve();
  await disposed;
  await user.dispose();
  await assert.rejects(user.load(), CLOSED);
});

Deno.test("client: once closed it signs nothing, as it carries nothing", async () => {
  await using world = new HomeWorld();
  const user = await newUser(world);
  const order: string[] = [];
  const { promise: afterwards, resolve } = Promise.withResolvers<void>();
  const client = new Client({
    home: await world.home(),
    reached: {
      calls: { close: () => Promise.reject(new Error("a bug")) } as unknown as Calls,
      name: "n1",
      endpoint: "mesh:n1",
      session: undefined,
      groups: undefined,
      secretsVersion: 0,
      revision: 0,
      afterwards: () => user.using(afterwards).then(() => void order.push("afterwards")),
    },
    user,
    bound: false,
    clock: world.env.clock,
    random: world.env.random,
  });
  await client.sign("x.y", {}, { targets: ["n1"] });
  const closed = assert.rejects(client.close(), /a bug/).then(() => order.push("closed"));
  await quiet();
  assert.deepEqual(order, []);
  resolve();
  await closed;
  assert.deepEqual(order, ["afterwards", "closed"]);
  await assert.rejects(client.sign("x.y", {}, { targets: ["n1"] }), CLOSED);
});
