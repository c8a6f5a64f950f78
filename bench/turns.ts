/**
 * Measuring side by side on a machine that others use too: the candidates take turns, and each
 * one's median counts, so that a slow moment hits all of them.
 */

import { progress } from "./progress.ts";

export type Measure = () => Promise<number>;

/** Runs each of `candidates` once a round; the medians, by the candidates' names. */
export async function takeTurns<Name extends string>(
  candidates: Readonly<Record<Name, Measure>>,
  options: {
    readonly rounds: number;
    /** Rounds before those that count, for what a compiler at run time must see first. @default 0 */
    readonly warmUp?: number;
    /** For a person who waits. @default nothing is said */
    readonly what?: string;
  },
): Promise<Record<Name, number>> {
  const names = Object.keys(candidates) as Name[];
  const results = new Map<Name, number[]>(names.map((name) => [name, []]));
  const { rounds, warmUp = 0, what } = options;
  for (let round = -warmUp; round < rounds; round++) {
    for (const name of names) {
      const turn = round < 0 ? "warming up" : `round ${round + 1} of ${rounds}`;
      if (what !== undefined) progress(`${what}: ${turn}, ${name}`);
      const value = await candidates[name]();
      if (round >= 0) results.get(name)?.push(value);
    }
  }
  const medians = names.map((name) => [name, median(results.get(name) ?? [])]);
  return Object.fromEntries(medians) as Record<Name, number>;
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("Nothing was measured");
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}
