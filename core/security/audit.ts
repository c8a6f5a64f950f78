/**
 * The audit log: one JSON line for each guarded decision, allowed or not (SECURITY.md 3), and one for
 * what became of a program that was run. Arguments appear only as a hash. Files are numbered, mode 0600, and a full one is followed by the next; the
 * oldest are removed. What was refused has files of its own: a user who may do nothing could
 * otherwise push out what was done. What a full disk or a dying machine cut short spoils its own line
 * only: the next one begins on a line of its own. Who appends waits until the line is handed to the system, and
 * decides what a failure means (policy's `audit`).
 */
import type { Files } from "../environment/environment.ts";
import { AUDIT_FILE_BYTES_MAX, AUDIT_FILES_MAX, AUDIT_TEXT_CHARACTERS_MAX } from "../limits.ts";

export interface AuditRecord {
  /** Unix ms. */
  readonly time: number;
  readonly node: string;
  /** Hex. */
  readonly requestId: string;
  readonly verb: string;
  /** The name in the principal's certificate. */
  readonly principal: string;
  /** Hex. */
  readonly keyId: string;
  /** Whom the request was for, as text: names, groups, "all". */
  readonly target: string;
  readonly as: string;
  /** Where to, of a verb that opens a connection: "HOST:PORT". */
  readonly destination?: string;
  readonly allowed: boolean;
  /** Which rule allowed it. */
  readonly rule?: string;
  /** Why it was refused. */
  readonly why?: string;
  /** Hex of SHA-256. */
  readonly argumentsHash: string;
}

/** What became of something that was allowed. */
export interface AuditOutcome {
  /** Unix ms. */
  readonly time: number;
  readonly node: string;
  /** Hex. */
  readonly requestId: string;
  readonly verb: string;
  readonly principal: string;
  /** Hex. */
  readonly keyId: string;
  /** A few words, such as "exit 3". */
  readonly outcome: string;
}

/** One line with its line feed; keys in a fixed order, long texts cut. */
export function outcomeLine(record: AuditOutcome): string {
  const line = {
    time: record.time,
    event: "outcome",
    node: record.node,
    request: record.requestId,
    verb: record.verb,
    principal: record.principal,
    key: record.keyId,
    outcome: cut(record.outcome),
  };
  return `${JSON.stringify(line)}\n`;
}

/** One line with its line feed; keys in a fixed order, long texts cut. */
export function auditLine(record: AuditRecord): string {
  const line = {
    time: record.time,
    event: "decision",
    node: record.node,
    request: record.requestId,
    verb: record.verb,
    principal: record.principal,
    key: record.keyId,
    target: cut(record.target),
    as: record.as,
    destination: record.destination === undefined ? undefined : cut(record.destination),
    allowed: record.allowed,
    rule: record.rule,
    why: record.why === undefined ? undefined : cut(record.why),
    arguments_sha256: record.argumentsHash,
  };
  return `${JSON.stringify(line)}\n`;
}

type AuditFiles = Pick<Files, "append" | "facts" | "list" | "makeFolder" | "read" | "remove">;

export interface AuditLogOptions {
  readonly files: AuditFiles;
  /** Holds "audit-00000001.jsonl", "refused-00000001.jsonl" and their successors. */
  readonly folder: string;
  /** @default AUDIT_FILE_BYTES_MAX */
  readonly fileBytesMax?: number;
  /** @default AUDIT_FILES_MAX */
  readonly filesMax?: number;
}

/** Appends records to numbered files, one after the other. */
export class AuditLog {
  readonly #allowed: NumberedFiles;
  readonly #refused: NumberedFiles;

  /** Call {@link AuditLog.open}. */
  private constructor(options: AuditLogOptions) {
    this.#allowed = new NumberedFiles("audit", options);
    this.#refused = new NumberedFiles("refused", options);
  }

  /** Goes on with the newest files in the folder, which is made if missing. */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    const log = new AuditLog(options);
    await options.files.makeFolder(options.folder, { mode: 0o700 });
    await Promise.all([log.#allowed.open(), log.#refused.open()]);
    return log;
  }

  /** Resolves when the line is written; rejects with the system's reason when it is not. */
  append(record: AuditRecord): Promise<void> {
    const files = record.allowed ? this.#allowed : this.#refused;
    return files.append(new TextEncoder().encode(auditLine(record)));
  }

  /** As {@link AuditLog.append}. */
  appendOutcome(record: AuditOutcome): Promise<void> {
    return this.#allowed.append(new TextEncoder().encode(outcomeLine(record)));
  }
}

const LINE_FEED = 10;

/** "audit-00000001.jsonl" and its successors. */
class NumberedFiles {
  readonly #prefix: string;
  readonly #options: AuditLogOptions;
  #number = 0;
  #bytes = 0;
  /** The file does not end with a whole line. */
  #torn = false;
  /** The last append failed, after we do not know how many bytes. */
  #failed = false;
  /** Never rejects. */
  #last: Promise<void> = Promise.resolve();

  constructor(prefix: string, options: AuditLogOptions) {
    this.#prefix = prefix;
    this.#options = options;
  }

  async open(): Promise<void> {
    this.#number = Math.max(1, ...await this.#numbers());
    const { files } = this.#options;
    const path = this.#path(this.#number);
    this.#bytes = (await files.facts(path))?.size ?? 0;
    this.#torn = this.#bytes > 0 && (await files.read(path)).at(-1) !== LINE_FEED;
  }

  append(line: Uint8Array): Promise<void> {
    const done = this.#last.then(() => this.#write(line));
    this.#last = done.catch(() => {
      // Told to who appended; the next one tries for itself.
    });
    return done;
  }

  async #write(line: Uint8Array): Promise<void> {
    const { files, fileBytesMax = AUDIT_FILE_BYTES_MAX } = this.#options;
    if (this.#failed) await this.#lookAgain();
    if (this.#bytes > 0 && this.#bytes + line.length > fileBytesMax) await this.#rotate();
    const bytes = this.#torn ? Uint8Array.of(LINE_FEED, ...line) : line;
    try {
      await files.append(this.#path(this.#number), bytes, { mode: 0o600 });
    } catch (error) {
      this.#failed = true;
      throw error;
    }
    this.#torn = false;
    this.#bytes += bytes.length;
  }

  /** A full disk may have taken a part of the line. */
  async #lookAgain(): Promise<void> {
    const size = (await this.#options.files.facts(this.#path(this.#number)))?.size ?? 0;
    if (size > this.#bytes) this.#torn = true;
    this.#bytes = size;
    this.#failed = false;
  }

  async #rotate(): Promise<void> {
    const { files, filesMax = AUDIT_FILES_MAX } = this.#options;
    this.#number++;
    this.#bytes = 0;
    this.#torn = false;
    for (const number of await this.#numbers()) {
      if (number <= this.#number - filesMax) await files.remove(this.#path(number));
    }
  }

  async #numbers(): Promise<number[]> {
    const { files, folder } = this.#options;
    const numbers: number[] = [];
    for (const name of await files.list(folder)) {
      const number = Number(/^\w+-(\d{8})\.jsonl$/.exec(name)?.[1]);
      if (name === this.#name(number)) numbers.push(number);
    }
    return numbers;
  }

  #path(number: number): string {
    return `${this.#options.folder}/${this.#name(number)}`;
  }

  #name(number: number): string {
    return `${this.#prefix}-${String(number).padStart(8, "0")}.jsonl`;
  }
}

function cut(text: string): string {
  if (text.length <= AUDIT_TEXT_CHARACTERS_MAX) return text;
  return `${text.slice(0, AUDIT_TEXT_CHARACTERS_MAX)}…`;
}
