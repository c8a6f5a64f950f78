/** Two parties over bad ways under a simulated clock, all of it drawn from one seed. */

import type { Conduit } from "../../../../core/mod.ts";
import { Simulation } from "../../../simulation/environment.ts";
import { Dice } from "../../../support/fuzz.ts";
import { MeshKeys, testPrimitives } from "../../../support/mesh_keys.ts";
import { message, numbered, Taker } from "../../../core/conduit/messages.ts";
import { Parties, type PartiesOptions, type Path } from "./ways.ts";

export interface Played {
  readonly parties: Parties;
  readonly dice: Dice;
  readonly simulation: Simulation;
  readonly keys: MeshKeys;
  /** Virtual milliseconds. */
  sleep(ms: number): Promise<void>;
}

/** Runs a scenario to its end, and until nothing of its conduits is left. */
export async function played(
  seed: number,
  options: (dice: Dice, keys: MeshKeys) => Partial<PartiesOptions>,
  scenario: (played: Played) => Promise<void>,
): Promise<void> {
  const primitives = await testPrimitives();
  const simulation = new Simulation({ seed });
  const { clock, random } = simulation.host("here");
  const dice = new Dice(seed * 7_919 + 1);
  const keys = new MeshKeys(primitives, { random, now: () => clock.now() });
  const parties = new Parties({ clock, random, keys, dice, ...options(dice, keys) });
  const sleep = (ms: number) => clock.sleep(ms);
  await simulation.finish((async () => {
    await scenario({ parties, dice, simulation, keys, sleep });
    await parties.settled();
  })());
}

/** A path that is bad in a way of its own. */
export function badPath(dice: Dice): Path {
  const chance = (most: number) => dice.below(2) === 0 ? 0 : dice.below(most);
  return {
    delayMs: dice.below(20),
    jitterMs: chance(20),
    lose: chance(200),
    double: chance(200),
    alter: chance(100),
    cut: chance(50),
  };
}

/** Sends messages of these sizes one way, and takes them at the other end; throws unless all is right. */
export async function exchange(
  from: Conduit,
  taker: Taker,
  sizes: readonly number[],
): Promise<void> {
  const send = async () => {
    for (const [index, size] of sizes.entries()) await from.send(message(numbered(size, index)));
  };
  const take = async () => {
    for (const [index, size] of sizes.entries()) {
      const { body } = await taker.next();
      const wanted = numbered(size, index);
      const got = body as Uint8Array;
      if (got.length === size && got.every((byte, at) => byte === wanted[at])) continue;
      throw new Error(`Message ${index} of ${size} bytes came as ${got.length} others`);
    }
  };
  await Promise.all([send(), take()]);
}

/** Sizes of messages, most of them small, some of many packets. */
export function drawSizes(dice: Dice, count: number): number[] {
  return Array.from({ length: count }, () => {
    const kind = dice.below(10);
    if (kind < 6) return dice.below(200);
    if (kind < 9) return dice.below(20_000);
    return dice.below(300_000);
  });
}
