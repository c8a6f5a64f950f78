/** Output that is kept until the program ends, each of its streams up to a bound. */

import type { RunEnd } from "./order.ts";
import { type Chunk, STDERR, STDOUT } from "./program.ts";
import { tailOf } from "./text_tail.ts";

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
    const stdout = this.#whole(STDOUT);
    const stderr = this.#whole(STDERR);
    return { stdout, stderr, ...(this.#cut === 0 ? {} : { cutBytes: this.#cut }) };
  }

  /** What was cut at the bound ends between characters, so that text stays text. */
  #whole(stream: typeof STDOUT | typeof STDERR): Uint8Array {
    const whole = joined(this.#kept[stream], this.#sizes[stream]);
    if (whole.length < this.#bytesMax) return whole;
    const tail = tailOf(whole);
    this.#cut += tail;
    return whole.subarray(0, whole.length - tail);
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
