/** Seeded luck: each thing that happens has its own, whatever the others do meanwhile. */

import { SeededRandom } from "../simulation/random.ts";

/** Of one command or one round. */
export class Luck {
  readonly #random: SeededRandom;

  constructor(label: string) {
    this.#random = new SeededRandom(label);
  }

  below(bound: number): number {
    const [a = 0, b = 0, c = 0] = this.#random.bytes(3);
    return ((a << 16) | (b << 8) | c) % bound;
  }

  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  one(names: readonly string[]): string {
    return names[this.below(names.length)] as string;
  }

  shuffled(names: readonly string[]): string[] {
    const rest = [...names];
    return names.map(() => rest.splice(this.below(rest.length), 1)[0] as string);
  }
}
