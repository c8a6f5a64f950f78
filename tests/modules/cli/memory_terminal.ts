/** A terminal in memory: keeps what was written, in order, and can be slow or broken. */

import { ConnectionError } from "../../../core/errors.ts";
import type { Terminal } from "../../../modules/shared/terminal.ts";

export class MemoryTerminal implements Terminal {
  readonly stdinIsTerminal = false;
  readonly stdoutIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  readonly stderrIsJournal = false;
  readonly writes: [stream: "stdout" | "stderr", text: string][] = [];
  /** Set: every write to stdout fails like this. */
  failure: Error | undefined;
  /** Set: writes wait for it. */
  gate: Promise<void> | undefined;
  /** What it was told, in order. */
  readonly raw: boolean[] = [];
  readonly #input: Uint8Array;
  #inputRead = 0;

  constructor(options: { terminal?: boolean; input?: string } = {}) {
    this.stdoutIsTerminal = options.terminal ?? false;
    this.stderrIsTerminal = options.terminal ?? false;
    this.#input = new TextEncoder().encode(options.input ?? "");
  }

  setRaw(raw: boolean): void {
    this.raw.push(raw);
  }

  readStdin(memory: Uint8Array): Promise<number | null> {
    const rest = this.#input.subarray(this.#inputRead, this.#inputRead + memory.length);
    memory.set(rest);
    this.#inputRead += rest.length;
    return Promise.resolve(rest.length === 0 ? null : rest.length);
  }

  get stdout(): string {
    return this.#all("stdout");
  }

  get stderr(): string {
    return this.#all("stderr");
  }

  size(): { columns: number; rows: number } | undefined {
    return this.stdoutIsTerminal ? { columns: 20, rows: 10 } : undefined;
  }

  async write(stream: "stdout" | "stderr", bytes: Uint8Array): Promise<void> {
    await this.gate;
    if (stream === "stdout" && this.failure !== undefined) throw this.failure;
    this.writes.push([stream, new TextDecoder().decode(bytes)]);
  }

  #all(wanted: string): string {
    return this.writes.filter(([stream]) => stream === wanted).map(([, text]) => text).join("");
  }
}

export function brokenPipe(): ConnectionError {
  return new ConnectionError("reset", "Could not write to stdout: the other end closed");
}
