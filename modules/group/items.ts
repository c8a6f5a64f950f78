/**
 * What targets stream, on its way up: in order for each target, whichever way it came. An item knows
 * its place in its target's stream, so that the origin can drop what comes again by another way.
 */

import { weightOf } from "./weight.ts";

/** `index` is of the origin's list of targets. */
export type Item = [index: number, place: number, value: unknown];

/** A queue whose writers look at `bytes` and wait. */
export class Items {
  #items: Item[] = [];
  #head = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#head === this.#items.length;
  }

  push(item: Item): void {
    this.#items.push(item);
    this.#bytes += weightOf(item[2]);
  }

  /** The next ones, up to so many bytes, but at least one if there is one. */
  take(bytesMax: number): Item[] {
    const start = this.#head;
    let bytes = 0;
    while (this.#head < this.#items.length) {
      const weight = weightOf((this.#items[this.#head] as Item)[2]);
      if (bytes > 0 && bytes + weight > bytesMax) break;
      bytes += weight;
      this.#head++;
    }
    this.#bytes -= bytes;
    const taken = this.#items.slice(start, this.#head);
    if (this.isEmpty) this.#items.length = this.#head = 0;
    else if (this.#head > this.#items.length / 2) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return taken;
  }
}
