/** Chance as a number, for jitter and choices; nothing depends on its strength. */

import type { Random } from "../../core/mod.ts";

/** From 0, below 1. */
export function chance(random: Random): number {
  const [high = 0, low = 0] = random.bytes(2);
  return (high * 0x100 + low) / 0x1_0000;
}

/** Up to half of it taken off by chance: what many wait for alike does not end for all at once. */
export function lessByChance(ms: number, random: Random): number {
  return ms * (1 - chance(random) / 2);
}

/** All of them, in an order of chance. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items.map((item) => ({ item, place: chance(random) }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
