/** Chance as a number, for jitter and choices; nothing depends on its strength. */

import type { Random } from "../../core/mod.ts";

/** From 0, below 1. */
export function chance(random: Random): number {
  const [high = 0, low = 0] = random.bytes(2);
  return (high * 0x100 + low) / 0x1_0000;
}
