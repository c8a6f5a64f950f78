/**
 * The daemon's own log: JSON lines in its state folder, or text for a person on stderr. Written in
 * order and without holding anybody up; a log that cannot be written is given up, the daemon goes on.
 */

import {
  configure,
  dispose,
  getJsonLinesFormatter,
  getLogger,
  getTextFormatter,
  type LogRecord,
} from "@logtape/logtape";
import type { Environment, Log } from "../../core/mod.ts";
import { LogRing } from "../log/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import type { DaemonLogLevel } from "../shared/log_level.ts";
import { plural } from "../shared/plural.ts";

/** When the file is larger it becomes `log.1`, whose old content is dropped. */
const LOG_FILE_BYTES_MAX = 4 * 1024 * 1024;
/** Lines waiting for a slow disk; more are dropped, and how many is said. */
const LOG_LINES_WAITING_MAX = 10_000;

export interface LogTarget {
  /** Takes one line with its line feed. */
  write(line: string): Promise<void>;
  /** JSON lines, or text for people. */
  readonly json: boolean;
  /** Lines have their level before them, as {@link JOURNAL_LEVELS}. @default false */
  readonly leveled?: boolean;
}

/** Of logtape's levels, as sd-daemon(3) writes them: the journal shows and sorts lines by them. */
const JOURNAL_LEVELS: Readonly<Record<LogRecord["level"], string>> = {
  trace: "<7>",
  debug: "<7>",
  info: "<6>",
  warning: "<4>",
  error: "<3>",
  fatal: "<2>",
};

/** The log of this process. */
export interface Logging {
  /** The logger of a component. */
  log(component: string): Log;
  /** The last lines, for those who ask over the mesh. */
  readonly ring: LogRing;
  /** What is logged from now on. */
  level: DaemonLogLevel;
  /** Resolves when all lines are written. */
  close(): Promise<void>;
}

/** Sets up logging for this process. */
export async function startLog(
  { clock }: Pick<Environment, "clock">,
  target: LogTarget,
  level: DaemonLogLevel = "info",
): Promise<Logging> {
  const text = target.json ? getJsonLinesFormatter() : getTextFormatter();
  const format = target.leveled === true
    ? (record: LogRecord) => JOURNAL_LEVELS[record.level] + text(record)
    : text;
  const queue = new LineQueue(target);
  await configure({
    reset: true,
    sinks: { target: (record: LogRecord) => queue.push(format(record)) },
    loggers: [
      // What is of a lower level than asked for is left out before it comes here.
      { category: ["minime"], lowestLevel: "debug", sinks: ["target"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["target"] },
    ],
  });
  const ring = new LogRing();
  const logging: Logging = {
    ring,
    level,
    log: (component) => {
      const logger = getLogger(["minime", component]);
      return (at, text, fields) => {
        if (at === "debug" && logging.level !== "debug") return;
        logger[at](literally(text), { ...fields });
        ring.push({ time: clock.now(), level: at, component, text }, fields);
      };
    },
    close: async () => {
      await queue.flushed();
      await dispose();
    },
  };
  return logging;
}

/** Appends to a file that is turned over by size. */
export function fileTarget(env: Pick<Environment, "files">, path: string): LogTarget {
  let bytes: number | undefined;
  return {
    json: true,
    async write(line) {
      bytes ??= (await env.files.facts(path))?.size ?? 0;
      if (bytes + line.length > LOG_FILE_BYTES_MAX) {
        await env.files.write(`${path}.1`, await env.files.read(path));
        await env.files.remove(path);
        bytes = 0;
      }
      await env.files.append(path, line);
      bytes += line.length;
    },
  };
}

/** Stderr: text for a person at a terminal, JSON lines for whoever collects them. */
export function stderrTarget(
  { out, stderrIsTerminal, stderrIsJournal }: Pick<
    CommandContext,
    "out" | "stderrIsTerminal" | "stderrIsJournal"
  >,
): LogTarget {
  return {
    json: !stderrIsTerminal,
    leveled: stderrIsJournal,
    async write(line) {
      out.writeError(line);
      await out.ready();
    },
  };
}

/** Braces would be places for fields to logtape; our texts are no templates. */
function literally(text: string): string {
  return text.replaceAll("{", "{{").replaceAll("}", "}}");
}

class LineQueue {
  readonly #target: LogTarget;
  #lines: string[] = [];
  #dropped = 0;
  #writing: Promise<void> | undefined;

  constructor(target: LogTarget) {
    this.#target = target;
  }

  push(line: string): void {
    if (this.#lines.length >= LOG_LINES_WAITING_MAX) {
      this.#dropped++;
      return;
    }
    this.#lines.push(line);
    this.#writing ??= this.#write();
  }

  async flushed(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#lines.length > 0) {
      let text = this.#lines.splice(0).join("");
      if (this.#dropped > 0) {
        text += `${
          JSON.stringify({ message: `The log has lost ${plural(this.#dropped, "line")}` })
        }\n`;
        this.#dropped = 0;
      }
      try {
        await this.#target.write(text);
      } catch {
        // A full disk must not stop the daemon, and there is nowhere left to say so: the next
        // lines try again.
        this.#dropped++;
      }
    }
    this.#writing = undefined;
  }
}
