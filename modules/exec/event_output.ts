/** Output as events, one JSON object a line, for programs that follow a run. */

import type { Output } from "../shared/output.ts";
import type { RunEnd } from "./order.ts";
import { endJson, textJson } from "./end_json.ts";
import { type Chunk, STDOUT } from "./program.ts";
import type { OutputSink } from "./sink.ts";

export class EventOutput implements OutputSink {
  readonly #out: Pick<Output, "print" | "ready">;

  constructor(out: Pick<Output, "print" | "ready">) {
    this.#out = out;
  }

  async take(node: string, [stream, bytes]: Chunk): Promise<void> {
    const name = stream === STDOUT ? "stdout" : "stderr";
    this.#print({ event: "output", node, ...textJson(name, bytes) });
    await this.#out.ready();
  }

  lost(node: string): void {
    this.#print({ event: "lost", node });
  }

  end(node: string, end: RunEnd): void {
    this.#print({ event: "end", node, ...endJson(end) });
  }

  finish(): void {}

  #print(event: Record<string, unknown>): void {
    this.#out.print(JSON.stringify(event));
  }
}
