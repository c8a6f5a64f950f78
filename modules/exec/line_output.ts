/**
 * Output line by line, as it comes: whole lines only, so that lines of different nodes never mix, with
 * the node's name before each or bare. Bare output is what the programs wrote, bit for bit: a missing
 * line feed at the end stays missing.
 */

import type { Output } from "../shared/output.ts";
import { LineSplitter } from "./line_splitter.ts";
import { type Chunk, STDOUT } from "./program.ts";
import type { OutputSink } from "./sink.ts";

const LINE_FEED = 0x0a;
const encoder = new TextEncoder();

export interface LineOutputOptions {
  readonly out: Pick<Output, "write" | "writeError" | "paint" | "ready">;
  readonly labelled: boolean;
  /** There is only one node: nothing can mix, so nothing waits for the end of its line. */
  readonly single: boolean;
}

export class LineOutput implements OutputSink {
  readonly #options: LineOutputOptions;
  readonly #labels = new Map<string, Uint8Array>();
  readonly #splitters = new Map<string, { node: string; stream: number; lines: LineSplitter }>();

  constructor(options: LineOutputOptions) {
    this.#options = options;
  }

  async take(node: string, [stream, bytes]: Chunk): Promise<void> {
    const { labelled, single, out } = this.#options;
    if (single && !labelled) this.#put(stream, [bytes]);
    else {
      const lines = this.#splitterOf(node, stream).push(bytes);
      this.#put(stream, labelled ? this.#withLabel(node, lines) : lines);
    }
    await out.ready();
  }

  lost(node: string): void {
    this.#options.out.writeError(`minime: ${node}: output was lost when a relay died\n`);
  }

  end(): void {}

  fail(): void {}

  finish(): void {
    for (const { node, stream, lines } of this.#splitters.values()) {
      const rest = lines.finish();
      if (rest === undefined) continue;
      this.#put(stream, this.#options.labelled ? this.#withLabel(node, [rest]) : [rest]);
    }
  }

  #withLabel(node: string, lines: readonly Uint8Array[]): Uint8Array[] {
    let label = this.#labels.get(node);
    if (label === undefined) {
      label = encoder.encode(`${this.#options.out.paint("cyan", `${node}:`)} `);
      this.#labels.set(node, label);
    }
    return lines.flatMap((line) =>
      line.at(-1) === LINE_FEED ? [label, line] : [label, line, Uint8Array.of(LINE_FEED)]
    );
  }

  #put(stream: number, parts: readonly Uint8Array[]): void {
    const { out } = this.#options;
    for (const part of parts) {
      if (stream === STDOUT) out.write(part);
      else out.writeError(part);
    }
  }

  #splitterOf(node: string, stream: number): LineSplitter {
    const key = `${stream} ${node}`;
    let known = this.#splitters.get(key);
    if (known === undefined) {
      this.#splitters.set(key, known = { node, stream, lines: new LineSplitter() });
    }
    return known.lines;
  }
}
