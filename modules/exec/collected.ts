/** Output that is kept until the program ends, each of its streams up to a bound. */

import type { RunEnd } from "./order.ts";
import { type Chunk, STDERR, STDOUT } from "./program.ts";

export class Collected {
  readonly #bytesMax: number;
  readonly #kept = { [STDOUT]: [] as Uint8Array[], [STDERR]: [] as Uint8Array[] };
  readonly #sizes = { [STDOUT]: 0, [STDERR]: 0 };
  #cut = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add([stream, bytes]: Chunk): void {
    const kept = bytes.subarray(0, this.#bytesMax - this.#sizes[stream]);
    this.#cut += bytes.length - kept.length;
    if (kept.length === 0) return;
    this.#kept[stream].push(kept);
    this.#sizes[stream] += kept.length;
  }

  result(): Pick<RunEnd, "stdout" | "stderr" | "cutBytes"> {
    return {
      stdout: joined(this.#kept[STDOUT], this.#sizes[STDOUT]),
      stderr: joined(this.#kept[STDERR], this.#sizes[STDERR]),
      ...(this.#cut === 0 ? {} : { cutBytes: this.#cut }),
    };
  }
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
