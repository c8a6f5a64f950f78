/** What the nodes of a broadcast need of each batch: asked of all, known when nobody is missing. */

import { decodeValue, MinimeError } from "../../core/mod.ts";
import { type NeedRecord, readNeed } from "./records.ts";

export class Needs {
  /** Those that take part, with what they have said last; undefined: it got lost on the way. */
  readonly #nodes: Map<string, NeedRecord | "silent" | "lost">;
  #wake: (() => void) | undefined;

  constructor(nodes: readonly string[]) {
    this.#nodes = new Map(nodes.map((name) => [name, "silent"]));
  }

  /** `lost`: something that it has said before did not arrive; from then on it gets everything. */
  take(name: string, value: unknown, lost: boolean): void {
    const before = this.#nodes.get(name);
    if (before === undefined) return;
    this.#nodes.set(name, lost || before === "lost" ? "lost" : needOf(value));
    this.#wake?.();
  }

  /** It is done, or out of it. */
  settle(names: Iterable<string>): void {
    for (const name of names) this.#nodes.delete(name);
    this.#wake?.();
  }

  /** For one who asks; see SendOptions.needs. */
  async of(batch: number): Promise<(NeedRecord | undefined)[]> {
    for (;;) {
      const said = [...this.#nodes.values()];
      const isKnown = (each: NeedRecord | string) => each === "lost" || each[1] === batch;
      if (said.every(isKnown)) {
        return said.map((each) => typeof each === "string" ? undefined : each);
      }
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}

/** Whoever says nonsense gets everything: a target takes what it needs of that. */
function needOf(value: unknown): NeedRecord | "lost" {
  try {
    return value instanceof Uint8Array ? readNeed(decodeValue(value)) : "lost";
  } catch (error) {
    if (error instanceof MinimeError) return "lost";
    throw error;
  }
}
