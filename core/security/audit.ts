/**
 * The audit log: one JSON line for each guarded decision, allowed or not (SECURITY.md 3). Arguments
 * appear only as a hash. Files are numbered, mode 0600, and a
 * full one is followed by the next; the oldest are removed. Who appends waits until the line is
 * handed to the system, and decides what a failure means (policy's `audit`).
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
  readonly allowed: boolean;
  /** Which rule allowed it. */
  readonly rule?: string;
  /** Why it was refused. */
  readonly why?: string;
  /** Hex of SHA-256. */
  readonly argumentsHash: string;
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
    allowed: record.allowed,
    rule: record.rule,
    why: record.why === undefined ? undefined : cut(record.why),
    arguments_sha256: record.argumentsHash,
  };
  return `${JSON.stringify(line)}\n`;
}

type AuditFiles = Pick<Files, "append" | "facts" | "list" | "makeFolder" | "remove">;

export interface AuditLogOptions {
  readonly files: AuditFiles;
  /** Holds "audit-00000001.jsonl" and its successors. */
  readonly folder: string;
  /** @default AUDIT_FILE_BYTES_MAX */
  readonly fileBytesMax?: number;
  /** @default AUDIT_FILES_MAX */
  readonly filesMax?: number;
}

/** Appends records to numbered files, one after the other. */
export class AuditLog {
  readonly #options: AuditLogOptions;
  #number = 0;
  #bytes = 0;
  /** Never rejects. */
  #last: Promise<void> = Promise.resolve();

  /** Call {@link AuditLog.open}. */
  private constructor(options: AuditLogOptions) {
    this.#options = options;
  }

  /** Goes on with the newest file in the folder, which is made if missing. */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    const log = new AuditLog(options);
    await options.files.makeFolder(options.folder, { mode: 0o700 });
    log.#number = Math.max(1, ...await log.#numbers());
    log.#bytes = (await options.files.facts(log.#path(log.#number)))?.size ?? 0;
    return log;
  }

  /** Resolves when the line is written; rejects with the system's reason when it is not. */
  append(record: AuditRecord): Promise<void> {
    const line = new TextEncoder().encode(auditLine(record));
    const done = this.#last.then(() => this.#write(line));
    this.#last = done.catch(() => {
      // Told to who appended; the next one tries for itself.
    });
    return done;
  }

  async #write(line: Uint8Array): Promise<void> {
    const { files, fileBytesMax = AUDIT_FILE_BYTES_MAX } = this.#options;
    if (this.#bytes > 0 && this.#bytes + line.length > fileBytesMax) await this.#rotate();
    await files.append(this.#path(this.#number), line, { mode: 0o600 });
    this.#bytes += line.length;
  }

  async #rotate(): Promise<void> {
    const { files, filesMax = AUDIT_FILES_MAX } = this.#options;
    this.#number++;
    this.#bytes = 0;
    for (const number of await this.#numbers()) {
      if (number <= this.#number - filesMax) await files.remove(this.#path(number));
    }
  }

  async #numbers(): Promise<number[]> {
    const { files, folder } = this.#options;
    const numbers: number[] = [];
    for (const name of await files.list(folder)) {
      const found = /^audit-(\d{8})\.jsonl$/.exec(name);
      if (found) numbers.push(Number(found[1]));
    }
    return numbers;
  }

  #path(number: number): string {
    return `${this.#options.folder}/audit-${String(number).padStart(8, "0")}.jsonl`;
  }
}

function cut(text: string): string {
  if (text.length <= AUDIT_TEXT_CHARACTERS_MAX) return text;
  return `${text.slice(0, AUDIT_TEXT_CHARACTERS_MAX)}…`;
}
