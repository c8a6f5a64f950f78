/**
 * Scenarios of faults by seed, as `deno task simulate` plays them by the thousand. They run in
 * processes of their own, two at a time: one process uses one core.
 */

import assert from "node:assert/strict";
import { FAULT_KINDS } from "./fault.ts";
import { runScenario, type ScenarioOptions } from "./scenario.ts";
import { replayOf, runShards } from "./shards.ts";

const JOBS = 2;
const SEEDS = 500;
const SEEDS_A_TEST = 100;
/**
 * Sparse, with plain stand-ins for cryptography: a mesh of 64 that is broken and heals twice, and
 * twenty meshes of 256. One of these costs as much as thirty small scenarios.
 */
const LARGE = [{ nodes: 64, rounds: 2, seeds: 1 }, { nodes: 256, rounds: 1, seeds: 20 }] as const;

async function play(
  first: number,
  seeds: number,
  size: ScenarioOptions = {},
): Promise<Set<string>> {
  const injected = new Set<string>();
  let played = 0;
  await runShards({
    first,
    seeds,
    jobs: JOBS,
    size,
    onOutcome: ({ seed, problems, faults }) => {
      played++;
      for (const kind of Object.keys(faults)) injected.add(kind);
      const text = `Seed ${seed}: ${problems.join("; ")}. Replay by: ${replayOf(seed, size)}`;
      assert.deepEqual(problems, [], text);
    },
  });
  assert.equal(played, seeds);
  return injected;
}

for (let first = 1; first <= SEEDS; first += SEEDS_A_TEST) {
  const last = first + SEEDS_A_TEST - 1;
  Deno.test(`faults: meshes of seeds ${first} to ${last} heal, and every call ends well`, async () => {
    const injected = await play(first, SEEDS_A_TEST);
    assert.deepEqual([...injected].sort(), Object.keys(FAULT_KINDS).sort(), "each kind happened");
  });
}

for (const { nodes, rounds, seeds } of LARGE) {
  Deno.test(`faults: meshes of ${nodes} nodes heal, and every call ends well`, async () => {
    await play(1, seeds, { nodes, rounds });
  });
}

Deno.test("faults: a scenario is the same whenever its seed is played", async () => {
  for (const seed of [7, 12]) {
    const [one, again] = [await runScenario(seed), await runScenario(seed)];
    assert.equal(again.hash, one.hash);
    assert.deepEqual(again, one);
  }
});
