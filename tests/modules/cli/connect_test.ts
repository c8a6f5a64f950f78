/** Reaching a mesh whose nodes are dark: what a person is told when there was no time for all. */

import assert from "node:assert/strict";
import type { Network } from "../../../core/mod.ts";
import { connect } from "../../../modules/cli/connect.ts";
import { StreamOutput } from "../../../modules/cli/output.ts";
import { MeshHomes } from "../../../modules/shared/mesh_home.ts";
import { prepareKeys } from "../../../modules/shared/mesh_setup.ts";
import { HomeWorld } from "../../support/home_world.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { testPrimitives } from "../../support/mesh_keys.ts";
import { until } from "../../support/wait.ts";
import { MemoryTerminal } from "./memory_terminal.ts";

/** Nobody answers; `dialled` gets each port. */
function darkNetwork(dialled: number[]): Network {
  return {
    addresses: () => [],
    dial: (address, { signal } = {}) =>
      new Promise((_, reject) => {
        if (address.transport === "tcp") dialled.push(address.port);
        signal?.addEventListener("abort", () => reject(signal.reason));
      }),
  } as Partial<Network> as Network;
}

async function darkScene(count: number) {
  const world = new HomeWorld();
  const clock = new ManualClock();
  const dialled: number[] = [];
  // No daemon of this machine is of that mesh.
  const variable = (name: string) => `${world.folder}/${name}`;
  const processes = Object.assign(Object.create(world.env.processes), { variable });
  const env = { ...world.env, clock, processes, network: darkNetwork(dialled) };
  const home = await new MeshHomes(env).create("lab");
  await prepareKeys(env, await testPrimitives(), home);
  await home.storeNodes(Array.from({ length: count }, (_, index) => ({
    name: `n${index + 1}`,
    keyId: index.toString(16).padStart(64, "0"),
    groups: [],
    seen: 0,
    endpoints: [`tcp:192.0.2.1:${index + 1}`, `tcp:192.0.2.2:${index + 1}`],
  })));
  const out = new StreamOutput(new MemoryTerminal(), { plain: true, onBroken: () => {} });
  const { signal } = new AbortController();
  const needs = { env, out, signal, home: () => Promise.resolve(home), warnOnce: () => {} };
  return { world, clock, dialled, needs };
}

// All of 1,000 were said to have been tried where it was 256.
Deno.test("connect: where there was no time for all nodes, those that were not tried are told", async () => {
  const { world, clock, dialled, needs } = await darkScene(20);
  await using _ = world;
  const told = assert.rejects(connect(needs, { timeoutMs: 1_000 }), {
    name: "ConnectionError",
    reason: "timeout",
    message:
      "Cannot reach any of 20 known nodes of the mesh: n[1-15]: no answer; n[16-20]: not tried",
  });
  await until(() => dialled.length === 1, "one is dialled");
  await clock.advance(1_000);
  await told;
  assert.equal(new Set(dialled).size, 15);
  assert.equal(clock.timers, 0);
});

Deno.test("connect: more dark nodes than are dialled at once hide no other one", async () => {
  const { world, clock, dialled, needs } = await darkScene(300);
  await using _ = world;
  const told = assert.rejects(connect(needs, {}), {
    message: "Cannot reach any of 300 known nodes of the mesh: n[1-300]: no answer",
  });
  await until(() => dialled.length === 1, "one is dialled");
  await clock.advance(10_000);
  await told;
  // Each at both of its addresses, beside each other.
  assert.equal(new Set(dialled).size, 300);
  assert.equal(dialled.length, 600);
  assert.equal(clock.timers, 0);
});
