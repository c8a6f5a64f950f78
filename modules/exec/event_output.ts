/** Output as events, one JSON object a line, for programs that follow a run. */

import { concatBytes } from "../../core/mod.ts";
import type { NodeFailure } from "../shared/group_result.ts";
import type { Output } from "../shared/output.ts";
import type { RunEnd } from "./order.ts";
import { endJson, failureJson, textJson } from "./end_json.ts";
import { type Chunk, STDERR, STDOUT } from "./program.ts";
import type { OutputSink } from "./sink.ts";
import { tailOf } from "./text_tail.ts";

const NAMES = { [STDOUT]: "stdout", [STDERR]: "stderr" } as const;

export class EventOutput implements OutputSink {
  readonly #out: Pick<Output, "print" | "ready">;
  /** By stream and node: the beginning of a character whose end has not come. */
  readonly #tails = {
    [STDOUT]: new Map<string, Uint8Array>(),
    [STDERR]: new Map<string, Uint8Array>(),
  };

  constructor(out: Pick<Output, "print" | "ready">) {
    this.#out = out;
  }

  async take(node: string, [stream, bytes]: Chunk): Promise<void> {
    const tails = this.#tails[stream];
    const before = tails.get(node);
    const whole = before === undefined ? bytes : concatBytes(before, bytes);
    const tail = tailOf(whole);
    if (tail > 0) tails.set(node, whole.slice(-tail));
    else tails.delete(node);
    this.#tell(node, stream, whole.subarray(0, whole.length - tail));
    await this.#out.ready();
  }

  lost(node: string): void {
    this.#flush(node);
    this.#print({ event: "lost", node });
  }

  end(node: string, end: RunEnd): void {
    this.#flush(node);
    this.#print({ event: "end", node, ...endJson(end) });
  }

  fail(failure: NodeFailure): void {
    this.#flush(failure.name);
    this.#print({ event: "failure", ...failureJson(failure) });
  }

  finish(): void {}

  /** A character that will never end. */
  #flush(node: string): void {
    for (const stream of [STDOUT, STDERR] as const) {
      const tail = this.#tails[stream].get(node);
      this.#tails[stream].delete(node);
      if (tail !== undefined) this.#tell(node, stream, tail);
    }
  }

  #tell(node: string, stream: Chunk[0], bytes: Uint8Array): void {
    if (bytes.length > 0) this.#print({ event: "output", node, ...textJson(NAMES[stream], bytes) });
  }

  #print(event: Record<string, unknown>): void {
    this.#out.print(JSON.stringify(event));
  }
}
