/**
 * The last lines of a daemon's log, in memory: what is new pushes out what is oldest, whoever reads
 * or does not. A reader that falls behind learns how many lines it has missed; nobody waits for it.
 */

import type { LogLevel } from "../../core/mod.ts";
import {
  LOG_ITEM_CHARACTERS_MAX,
  LOG_KEPT_CHARACTERS_MAX,
  LOG_LINE_CHARACTERS,
  LOG_TEXT_CHARACTERS_MAX,
} from "./limits.ts";
import { isAtLeast, type LogItem, type LogLine } from "./log_line.ts";

export interface ReadOptions {
  readonly level: LogLevel;
  /** Unix ms: no older lines. */
  readonly since: number;
  /** Of what is there, the last so many that fit the rest. */
  readonly lines: number;
  /** And what comes, until the signal aborts. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

export class LogRing {
  #lines: LogLine[] = [];
  /** Lines that were pushed out. */
  #gone = 0;
  #characters = 0;
  #waiting: (() => void)[] = [];

  /** Never throws. */
  push(
    line: Pick<LogLine, "time" | "level" | "component" | "text">,
    fields?: Readonly<Record<string, unknown>>,
  ): void {
    const json = fields === undefined ? undefined : jsonOf(fields);
    const kept: LogLine = {
      ...line,
      text: line.text.slice(0, LOG_TEXT_CHARACTERS_MAX),
      ...(json === undefined ? {} : { fields: json }),
    };
    this.#lines.push(kept);
    this.#characters += costOf(kept);
    let gone = 0;
    while (this.#characters > LOG_KEPT_CHARACTERS_MAX) {
      this.#characters -= costOf(this.#lines[gone++] as LogLine);
    }
    if (gone > 0) this.#lines.splice(0, gone);
    this.#gone += gone;
    this.#wake();
  }

  async *read(options: ReadOptions): AsyncGenerator<LogItem, void, void> {
    const { level, since, follow, signal } = options;
    const fits = (line: LogLine) => isAtLeast(line.level, level) && line.time >= since;
    const next = this.#startOf(fits, options.lines);
    const end = this.#gone + this.#lines.length;
    const wake = () => this.#wake();
    signal.addEventListener("abort", wake);
    try {
      yield* this.#from(next, end, { fits, follow, signal });
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }

  async *#from(
    first: number,
    end: number,
    { fits, follow, signal }: Pick<ReadOptions, "follow" | "signal"> & {
      readonly fits: (line: LogLine) => boolean;
    },
  ): AsyncGenerator<LogItem, void, void> {
    let next = first;
    while (follow ? !signal.aborted : next < end) {
      const missed = Math.max(0, this.#gone - next);
      next += missed;
      const lines: LogLine[] = [];
      let characters = 0;
      for (const line of this.#lines.slice(next - this.#gone)) {
        if (characters > LOG_ITEM_CHARACTERS_MAX) break;
        next++;
        if (!fits(line)) continue;
        lines.push(line);
        characters += costOf(line);
      }
      if (lines.length + missed > 0) yield { lines, missed };
      const isWhole = next === this.#gone + this.#lines.length;
      if (follow && isWhole && !signal.aborted) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
    }
  }

  /** The number of the first line to show. */
  #startOf(fits: (line: LogLine) => boolean, count: number): number {
    let at = this.#lines.length;
    for (let left = count; at > 0 && left > 0; at--) {
      if (fits(this.#lines[at - 1] as LogLine)) left--;
    }
    return this.#gone + at;
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

function costOf({ text, fields = "" }: LogLine): number {
  return text.length + fields.length + LOG_LINE_CHARACTERS;
}

/** Undefined for what is no data, or too much. */
function jsonOf(fields: Readonly<Record<string, unknown>>): string | undefined {
  try {
    const json = JSON.stringify(fields);
    return json === "{}" || json.length > LOG_TEXT_CHARACTERS_MAX ? undefined : json;
  } catch {
    // A number too large or a circle: the text says what matters.
    return undefined;
  }
}
