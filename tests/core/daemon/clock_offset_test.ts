/** Clocks that are an hour off: links stand where certificates allow it, and whoever is refused is told. */

import assert from "node:assert/strict";
import type { Environment } from "../../../core/mod.ts";
import { clockText } from "../../../core/mod.ts";
import { inWorld, type World } from "./world.ts";

const HOUR_MS = 3_600_000;

/** The machine of that name, whose wall clock is off. */
function machine(world: World, name: string, offMs: number): Environment {
  const env = world.simulation.host(name);
  const { clock: right } = env;
  const clock: Environment["clock"] = {
    now: () => right.now() + offMs,
    monotonic: () => right.monotonic(),
    after: (ms, run) => right.after(ms, run),
    sleep: (ms, options) => right.sleep(ms, options),
    yield: () => right.yield(),
  };
  return { ...env, clock };
}

Deno.test("clock: an hour ahead, an old certificate is good and the difference is known", async () => {
  await inWorld(async (world) => {
    const now = world.simulation.host("maker").clock.now();
    const self = world.keys.person({ name: "n2", notBefore: now - 2 * HOUR_MS });
    const n1 = await world.start("n1", {
      self: world.keys.person({ name: "n1", notBefore: now - 2 * HOUR_MS }),
    });
    const n2 = await world.start("n2", { self, env: machine(world, "n2", HOUR_MS) });
    await world.dial(n1, n2);
    assert.equal(Math.round((n1.link(n2)?.peer.clockOffsetMs ?? 0) / 1_000), 3_600);
  });
});

Deno.test("clock: who is an hour behind is told so where a new certificate is not valid yet", async () => {
  await inWorld(async (world) => {
    const n1 = await world.start("n1");
    const n2 = await world.start("n2", { env: machine(world, "n2", -HOUR_MS) });
    const text = /becomes valid in \d+ s: is a clock wrong; the clock of who shows it is 3600 s /;
    // The dialler complains of whom it meets; whoever is dialled complains of the dialler.
    await assert.rejects(world.dial(n2, n1), {
      reason: "not-yet-valid",
      message: new RegExp(`${text.source}ahead of the other one`),
    });
    await assert.rejects(world.dial(n1, n2), { reason: "not-yet-valid", message: text });
  });
});

Deno.test("clock: differences that a certificate cannot feel are not spoken of", () => {
  assert.equal(clockText(30_000), undefined);
  assert.equal(clockText(-30_000), undefined);
  assert.equal(clockText(61_000), "61 s ahead of");
  assert.equal(clockText(-HOUR_MS), "3600 s behind");
});
