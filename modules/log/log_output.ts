/**
 * Lines of many logs on their way to the terminal: sorted by time once all have come, or as they come
 * when they are followed.
 */

import type { Output } from "../shared/output.ts";
import { printable } from "../shared/text.ts";
import type { LogItem, LogLine } from "./log_line.ts";
import { plural } from "../shared/plural.ts";

const COLOURS = { debug: "dim", info: undefined, warning: "yellow", error: "red" } as const;

interface NodeLine {
  readonly node: string;
  readonly line: LogLine;
}

export class LogOutput {
  readonly #out: Pick<Output, "write" | "warn" | "paint" | "ready">;
  readonly #options: { readonly follow: boolean; readonly json: boolean };
  readonly #lines: NodeLine[] = [];
  // Of the machine where it is read; the form of that language is nearly ISO 8601.
  readonly #time = new Intl.DateTimeFormat("sv-SE", {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
  });

  constructor(
    out: Pick<Output, "write" | "warn" | "paint" | "ready">,
    options: { readonly follow: boolean; readonly json: boolean },
  ) {
    this.#out = out;
    this.#options = options;
  }

  /** Resolves when there is room for more. */
  async take(node: string, { lines, missed }: LogItem): Promise<void> {
    if (missed > 0) {
      this.#out.warn(`${node}: left out ${plural(missed, "line")} that came too fast`);
    }
    const taken = lines.map((line) => ({ node, line }));
    if (this.#options.follow) await this.#print(taken);
    else this.#lines.push(...taken);
  }

  async finish(): Promise<void> {
    await this.#print(this.#lines.sort((a, b) => a.line.time - b.line.time));
  }

  async #print(lines: readonly NodeLine[]): Promise<void> {
    const text = this.#options.json ? jsonOf : (each: NodeLine) => this.#textOf(each);
    this.#out.write(lines.map((each) => `${text(each)}\n`).join(""));
    await this.#out.ready();
  }

  #textOf({ node, line: { time, level, component, text } }: NodeLine): string {
    const out = this.#out;
    const at = this.#time.format(time).replace(",", ".");
    const colour = COLOURS[level];
    const what = `${level} ${printable(component)}: ${printable(text)}`;
    const shown = colour === undefined ? what : out.paint(colour, what);
    return `${at} ${out.paint("cyan", node)} ${shown}`;
  }
}

function jsonOf({ node, line: { fields, ...line } }: NodeLine): string {
  return JSON.stringify({
    node,
    ...line,
    ...(fields === undefined ? {} : { fields: read(fields) }),
  });
}

/** As it came, if it is no JSON: another machine said it. */
function read(fields: string): unknown {
  try {
    return JSON.parse(fields);
  } catch (error) {
    if (error instanceof SyntaxError) return fields;
    throw error;
  }
}
