/** What becomes of a user's certificate as its end comes near, where the root key is and where it is not. */

import assert from "node:assert/strict";
import { FileError } from "../../../core/mod.ts";
import { loadLivingUser } from "../../../modules/cli/living_user.ts";
import { StreamOutput } from "../../../modules/cli/output.ts";
import { prepareKeys } from "../../../modules/shared/mesh_setup.ts";
import { HomeWorld } from "../../support/home_world.ts";
import { DAY_MS, testPrimitives } from "../../support/mesh_keys.ts";
import { MemoryTerminal } from "./memory_terminal.ts";

async function user(world: HomeWorld) {
  const primitives = await testPrimitives();
  const home = await world.home();
  await prepareKeys(world.env, primitives, home);
  return {
    home,
    /** How long the certificate lasts, in days, and what was said. */
    async load(): Promise<readonly [days: number, said: string]> {
      const terminal = new MemoryTerminal();
      const out = new StreamOutput(terminal, { plain: true, onBroken: () => {} });
      const { identity } = await loadLivingUser(
        {
          env: world.env,
          out,
          warnOnce: (_topic, text) => out.warn(text),
        },
        primitives,
        home,
      );
      await out.finish();
      const left = identity.notAfter - world.env.clock.now();
      return [Math.round(left / DAY_MS), terminal.stderr];
    },
  };
}

Deno.test("living user: is renewed by the root key beside it, at two thirds and after the end", async () => {
  await using world = new HomeWorld();
  const { load, home } = await user(world);
  const key = await home.require("user.key");
  world.laterMs = 19 * DAY_MS;
  assert.deepEqual(await load(), [11, ""]);
  for (const days of [21, 60]) {
    world.laterMs = days * DAY_MS;
    assert.deepEqual(await load(), [30, ""]);
    assert.deepEqual(await load(), [30, ""]);
  }
  assert.deepEqual(await home.require("user.key"), key);
});

Deno.test("living user: is warned in the last week, and told afterwards, where no root key is", async () => {
  await using world = new HomeWorld();
  const { load, home } = await user(world);
  await Deno.remove(home.path("root.key"));
  world.laterMs = 22 * DAY_MS;
  assert.deepEqual(await load(), [8, ""]);
  world.laterMs = 24 * DAY_MS;
  const [days, said] = await load();
  assert.equal(days, 6);
  const how =
    'ask for another one by "minime user enroll" on a login node, or let an operator run ' +
    '"minime user renew .* --out FOLDER"';
  assert.match(
    said,
    new RegExp(`^Warning: Your certificate of mesh "lab" ends in 5 d 23 h: ${how}\n$`),
  );
  world.laterMs = 31 * DAY_MS;
  await assert.rejects(load, {
    reason: "expired",
    message: new RegExp(`^Certificate of ".*" expired .* ago: ${how}$`),
  });
});

Deno.test("living user: a home that cannot be written is warned of, and used while it lasts", async () => {
  await using world = new HomeWorld();
  const { load, home } = await user(world);
  const write = () => Promise.reject(new FileError("read-only", "Cannot write: read-only"));
  Object.defineProperty(home, "store", { value: write });
  world.laterMs = 21 * DAY_MS;
  const [days, said] = await load();
  assert.equal(days, 9);
  assert.match(said, /^Warning: Your certificate cannot be renewed: Cannot write: read-only\n$/);
  world.laterMs = 31 * DAY_MS;
  await assert.rejects(load, { reason: "expired" });
});
