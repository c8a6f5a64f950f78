/**
 * Where commands print. Data goes to stdout; everything that a person reads beside the data (notes,
 * warnings, progress) goes to stderr, so that pipes carry data only. Nothing here blocks or throws:
 * text is queued, written in order and flushed before the program ends. A command that prints more
 * than a screenful awaits `ready()` now and then. When the reader goes away (`| head`), the queue
 * is dropped and the command's signal aborts.
 */

import type { Column } from "./table.ts";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

export interface Output {
  /** A line, or lines, to stdout; the last newline is added if it is missing. */
  print(text: string): void;
  /** To stdout exactly as it is. */
  write(data: Uint8Array | string): void;
  /** To stderr exactly as it is: a remote program's stderr. */
  writeError(data: Uint8Array | string): void;
  /** One JSON document to stdout: on one line, or indented on a terminal. Bytes become base64url. */
  json(value: unknown): void;
  /**
   * A table to stdout, fitted to the terminal's width and with a bold header where there are colours.
   * `style` names the style of a cell, by row and column from 0.
   */
  table(
    columns: readonly Column[],
    rows: readonly (readonly string[])[],
    style?: (row: number, column: number) => Style | undefined,
  ): void;
  /** A line for people, to stderr; silent with --quiet. */
  note(text: string): void;
  /** A line for the curious, to stderr; only with --verbose. */
  detail(text: string): void;
  /** "Warning: …" to stderr, always. */
  warn(text: string): void;
  /**
   * The line that stands below everything else on stderr while something is under way; drawn
   * again after other output, cut to the terminal's width. `undefined` clears it, and so does the
   * end of the program. Shown only when stderr is a terminal and not with --quiet.
   */
  progress(text: string | undefined): void;
  /** Text for stdout in a style, or as it is where stdout shows no colours. */
  paint(style: Style, text: string): string;
  /** Resolves when less than a few megabytes wait to be written. */
  ready(): Promise<void>;
  /** Resolves when nothing waits any more. */
  written(): Promise<void>;
}
