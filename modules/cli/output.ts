/**
 * Output over the process's streams: one queue for both, so that what was printed first stands
 * first on a terminal; text that waits is joined into few large writes. The progress line belongs
 * to the writer alone: it is cleared before text and drawn again when the queue is empty, but never
 * below half a line.
 */

import { ConnectionError } from "../../core/mod.ts";
import type { Output, Style } from "../shared/output.ts";
import { type Column, formatTable } from "../shared/table.ts";
import type { Terminal } from "../shared/terminal.ts";
import { printable, truncateText } from "../shared/text.ts";

/** Above this, ready() waits: the reader is slower than the mesh. */
const QUEUE_BYTES_MAX = 4 * 1024 * 1024;
/** One write; pipes take 64 KiB at once. */
const WRITE_BYTES_MAX = 64 * 1024;

const STYLES: Record<Style, readonly [on: number, off: number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};
const CLEAR_LINE = "\r\x1b[2K";

export interface OutputSettings {
  readonly color: "auto" | "always" | "never";
  readonly quiet: boolean;
  readonly verbose: boolean;
}

type Stream = "stdout" | "stderr";

export class StreamOutput implements Output {
  readonly #terminal: Terminal;
  /** NO_COLOR is set, or the terminal knows no colours. */
  readonly #plain: boolean;
  readonly #onBroken: () => void;
  readonly #queue: { stream: Stream; bytes: Uint8Array }[] = [];
  #settings: OutputSettings = { color: "auto", quiet: false, verbose: false };
  #queued = 0;
  #pump: Promise<void> | undefined;
  #waiting: (() => void)[] = [];
  #progress: string | undefined;
  #shown: string | undefined;
  #lineStart = true;
  #failed: { stdout?: unknown; stderr?: unknown } = {};

  /** `onBroken` is called once, when stdout no longer takes anything. */
  constructor(terminal: Terminal, options: { plain: boolean; onBroken: () => void }) {
    this.#terminal = terminal;
    this.#plain = options.plain;
    this.#onBroken = options.onBroken;
  }

  configure(settings: OutputSettings): void {
    this.#settings = settings;
  }

  print(text: string): void {
    this.#put("stdout", line(text));
  }

  write(data: Uint8Array | string): void {
    this.#put("stdout", data);
  }

  writeError(data: Uint8Array | string): void {
    this.#put("stderr", data);
  }

  json(value: unknown): void {
    const indent = this.#terminal.stdoutIsTerminal ? 2 : undefined;
    this.print(JSON.stringify(value, plainJson, indent));
  }

  table(
    columns: readonly Column[],
    rows: readonly (readonly string[])[],
    style: (row: number, column: number) => Style | undefined = () => undefined,
  ): void {
    const width = this.#terminal.stdoutIsTerminal ? this.#terminal.size()?.columns : undefined;
    const paint = (text: string, row: number, column: number) => {
      const chosen = row < 0 ? "bold" : style(row, column);
      return chosen === undefined ? text : this.paint(chosen, text);
    };
    this.write(formatTable(columns, rows, { width, style: paint }));
  }

  note(text: string): void {
    if (!this.#settings.quiet) this.#put("stderr", line(text));
  }

  detail(text: string): void {
    if (this.#settings.verbose) this.#put("stderr", line(harmless(text)));
  }

  warn(text: string): void {
    this.#put("stderr", line(`${this.paintError("yellow", "Warning:")} ${harmless(text)}`));
  }

  progress(text: string | undefined): void {
    if (!this.#terminal.stderrIsTerminal || this.#settings.quiet) return;
    const columns = this.#terminal.size()?.columns ?? 80;
    // One column stays free: a full line makes some terminals go to the next one.
    this.#progress = text === undefined ? undefined : truncateText(printable(text), columns - 1);
    this.#start();
  }

  paint(style: Style, text: string): string {
    return painted(this.#colored(this.#terminal.stdoutIsTerminal), style, text);
  }

  /** As paint, for stderr. */
  paintError(style: Style, text: string): string {
    return painted(this.#colored(this.#terminal.stderrIsTerminal), style, text);
  }

  ready(): Promise<void> {
    if (this.#queued < QUEUE_BYTES_MAX) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async written(): Promise<void> {
    this.#start();
    await this.#pump;
  }

  /**
   * Clears the progress line and writes out what waits. Returns why stdout failed: "broken" when
   * its reader went away, an error for anything else; undefined when all went well.
   */
  async finish(): Promise<"broken" | { error: unknown } | undefined> {
    this.#progress = undefined;
    await this.written();
    if (!("stdout" in this.#failed)) return undefined;
    const error = this.#failed.stdout;
    return error instanceof ConnectionError && error.reason === "reset" ? "broken" : { error };
  }

  #colored(isTerminal: boolean): boolean {
    const color = this.#settings.color;
    return color === "always" || (color === "auto" && isTerminal && !this.#plain);
  }

  #put(stream: Stream, data: Uint8Array | string): void {
    if (stream in this.#failed || data.length === 0) return;
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    this.#queue.push({ stream, bytes });
    this.#queued += bytes.length;
    this.#start();
  }

  #start(): void {
    // Starting a microtask later joins everything that is printed in one go.
    this.#pump ??= Promise.resolve().then(() => this.#run()).finally(() => this.#pump = undefined);
  }

  async #run(): Promise<void> {
    while (true) {
      const next = this.#takeBatch();
      if (next !== undefined) {
        await this.#showProgress(undefined);
        await this.#send(next.stream, next.bytes);
        if (this.#isTerminal(next.stream)) this.#lineStart = next.bytes.at(-1) === 0x0a;
      } else if (this.#progress !== this.#shown && (this.#lineStart || this.#shown !== undefined)) {
        await this.#showProgress(this.#progress);
      } else {
        return;
      }
    }
  }

  #takeBatch(): { stream: Stream; bytes: Uint8Array } | undefined {
    const first = this.#queue[0];
    if (first === undefined) return undefined;
    let count = 1;
    let size = first.bytes.length;
    for (; count < this.#queue.length; count++) {
      const item = this.#queue[count];
      if (item?.stream !== first.stream || size + item.bytes.length > WRITE_BYTES_MAX) break;
      size += item.bytes.length;
    }
    const taken = this.#queue.splice(0, count);
    if (taken.length === 1) return first;
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const item of taken) {
      bytes.set(item.bytes, at);
      at += item.bytes.length;
    }
    return { stream: first.stream, bytes };
  }

  async #send(stream: Stream, bytes: Uint8Array): Promise<void> {
    try {
      if (!(stream in this.#failed)) await this.#terminal.write(stream, bytes);
    } catch (error) {
      this.#failed[stream] = error;
      if (stream === "stdout") this.#onBroken();
    }
    this.#queued -= bytes.length;
    if (this.#queued < QUEUE_BYTES_MAX) this.#waiting.splice(0).forEach((resolve) => resolve());
  }

  async #showProgress(text: string | undefined): Promise<void> {
    if (text === this.#shown) return;
    this.#shown = text;
    const bytes = new TextEncoder().encode(CLEAR_LINE + (text ?? ""));
    this.#queued += bytes.length;
    await this.#send("stderr", bytes);
  }

  #isTerminal(stream: Stream): boolean {
    return stream === "stdout" ? this.#terminal.stdoutIsTerminal : this.#terminal.stderrIsTerminal;
  }
}

/** Reasons of failures may be another machine's words. */
function harmless(text: string): string {
  return text.split("\n").map((each) => printable(each)).join("\n");
}

function line(text: string): string {
  return text.endsWith("\n") ? text : text + "\n";
}

function painted(colored: boolean, style: Style, text: string): string {
  const [on, off] = STYLES[style];
  return colored ? `\x1b[${on}m${text}\x1b[${off}m` : text;
}

/** JSON knows neither bytes nor large integers nor maps. */
function plainJson(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) {
    return value.toBase64({ alphabet: "base64url", omitPadding: true });
  }
  if (typeof value === "bigint") {
    return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  }
  return value instanceof Map ? Object.fromEntries(value) : value;
}
