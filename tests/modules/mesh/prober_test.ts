import assert from "node:assert/strict";
import { PROBE_MS } from "../../../modules/mesh/limits.ts";
import { Prober } from "../../../modules/mesh/prober.ts";
import type { WantedLink } from "../../../modules/mesh/topology.ts";
import { SeededRandom } from "../../simulation/random.ts";
import { ManualClock } from "../../support/manual_clock.ts";

function scene() {
  const clock = new ManualClock();
  const tried: string[] = [];
  const random = new SeededRandom("prober");
  const prober = new Prober({ clock, random, tryOnce: ({ name }) => tried.push(name) });
  return { clock, prober, tried };
}

function lostOf(count: number): WantedLink[] {
  return Array.from(
    { length: count },
    (_, index) => ({ name: `n${index}`, keyId: `${index}`, endpoints: [], rank: 2 }),
  );
}

Deno.test("prober: every lost node has its turn, as often as a lone node may ask", async () => {
  const { clock, prober, tried } = scene();
  prober.update({ lost: lostOf(10), searchers: 1 });
  await clock.advance(200 * PROBE_MS);
  assert.equal(new Set(tried).size, 10);
  assert(tried.length >= 150 && tried.length <= 250, `${tried.length} tries`);
  prober.stop();
  assert.equal(clock.timers, 0);
});

Deno.test("prober: many share the work, and one that is left alone hurries", async () => {
  const { clock, prober, tried } = scene();
  const lost = lostOf(10);
  prober.update({ lost, searchers: 1_000 });
  await clock.advance(400 * PROBE_MS);
  assert.deepEqual(tried, []);
  prober.update({ lost, searchers: 1 });
  await clock.advance(2 * PROBE_MS);
  assert(tried.length >= 1);
  prober.stop();
});

Deno.test("prober: rests when nobody is lost, and for good when it is stopped", async () => {
  const { clock, prober, tried } = scene();
  prober.update({ lost: lostOf(3), searchers: 1 });
  prober.update({ lost: [], searchers: 4 });
  assert.equal(clock.timers, 0);
  prober.stop();
  prober.update({ lost: lostOf(3), searchers: 1 });
  assert.equal(clock.timers, 0);
  await clock.advance(10 * PROBE_MS);
  assert.deepEqual(tried, []);
});
