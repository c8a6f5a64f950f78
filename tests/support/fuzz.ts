/**
 * Numbers for the property and fuzz tests. The seed is fixed, so a failure comes again; the share of
 * all cases that a test runs is fixed too, and `deno task fuzz` raises the sum by MINIME_FUZZ_CASES.
 */

const CASES_IN_ALL = 100_000;
const wanted = Number(Deno.env.get("MINIME_FUZZ_CASES") ?? CASES_IN_ALL);
const factor = Math.max(1, wanted / CASES_IN_ALL);

/** Runs of one property: its share of the hundred thousand, or of what was asked for. */
export function runs(share: number): { readonly numRuns: number; readonly seed: number } {
  return { numRuns: Math.ceil(share * factor), seed: SEED };
}

export const SEED = 20_260_101;

/** A small generator of bytes, much faster than fast-check's where shrinking does not help. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    // xorshift32
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state % below;
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.below(256);
    return bytes;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}
