/**
 * The journal's memory across restarts: a file of fixed records (key id 32, request id 16, u64 until).
 * A record is appended before its request runs; a torn one at the end belongs to a request that never
 * ran and is dropped. The file is rewritten without the expired when it is opened and when it has
 * grown large. One process only may have it open.
 */
import type { Clock, Files } from "../environment/environment.ts";
import { NotFoundError } from "../errors.ts";
import { JOURNAL_FILE_BYTES_MAX, KEY_ID_BYTES, REQUEST_ID_BYTES } from "../limits.ts";
import { ByteReader, ByteWriter, fromHex, toHex } from "../wire/bytes.ts";
import type { JournalRecord, JournalStore } from "./journal.ts";

type JournalFiles = Pick<Files, "read" | "write" | "append">;

export class JournalFile implements JournalStore {
  readonly #files: JournalFiles;
  readonly #path: string;
  readonly #clock: Pick<Clock, "now">;
  #living: JournalRecord[];
  #fileBytes: number;
  /** Appends and rewrites happen one after the other. Never rejects. */
  #last: Promise<void> = Promise.resolve();

  private constructor(
    options: { files: JournalFiles; path: string; clock: Pick<Clock, "now"> },
    living: JournalRecord[],
  ) {
    this.#files = options.files;
    this.#path = options.path;
    this.#clock = options.clock;
    this.#living = living;
    this.#fileBytes = living.length * RECORD_BYTES;
  }

  /** Reads what earlier lives left and rewrites the file (mode 0600). */
  static async open(
    options: {
      readonly files: JournalFiles;
      readonly path: string;
      readonly clock: Pick<Clock, "now">;
    },
  ): Promise<JournalFile> {
    const living = unexpired(await readRecords(options), options.clock.now());
    await options.files.write(options.path, encodeRecords(living), { mode: 0o600 });
    return new JournalFile(options, living);
  }

  /** What must not run again, for {@link JournalOptions.earlier}. */
  get records(): readonly JournalRecord[] {
    return this.#living;
  }

  append(record: JournalRecord): Promise<void> {
    const bytes = encodeRecords([record]);
    const done = this.#last.then(() => this.#write(record, bytes));
    this.#last = done.catch(() => {
      // Told to who appended; the next one tries for itself.
    });
    return done;
  }

  async #write(record: JournalRecord, bytes: Uint8Array): Promise<void> {
    if (this.#fileBytes + bytes.length > JOURNAL_FILE_BYTES_MAX) {
      const living = unexpired(this.#living, this.#clock.now());
      if (living.length < this.#living.length) {
        await this.#files.write(this.#path, encodeRecords(living), { mode: 0o600 });
        this.#living = living;
        this.#fileBytes = living.length * RECORD_BYTES;
      }
    }
    await this.#files.append(this.#path, bytes, { mode: 0o600 });
    this.#living.push(record);
    this.#fileBytes += bytes.length;
  }
}

const RECORD_BYTES = KEY_ID_BYTES + REQUEST_ID_BYTES + 8;

async function readRecords(
  options: { files: JournalFiles; path: string },
): Promise<JournalRecord[]> {
  let bytes: Uint8Array;
  try {
    bytes = await options.files.read(options.path);
  } catch (error) {
    if (error instanceof NotFoundError) return [];
    throw error;
  }
  const reader = new ByteReader(bytes, "Journal");
  const records: JournalRecord[] = [];
  while (reader.remaining >= RECORD_BYTES) {
    const keyId = toHex(reader.bytes(KEY_ID_BYTES, "key id"));
    const requestId = toHex(reader.bytes(REQUEST_ID_BYTES, "request id"));
    records.push({ keyId, requestId, untilMs: reader.u64Number("until") });
  }
  return records;
}

function encodeRecords(records: readonly JournalRecord[]): Uint8Array {
  const writer = new ByteWriter("journal", records.length * RECORD_BYTES);
  for (const { keyId, requestId, untilMs } of records) {
    writer.fixed(fromHex(keyId), KEY_ID_BYTES, "key id")
      .fixed(fromHex(requestId), REQUEST_ID_BYTES, "request id")
      .u64(untilMs, "until");
  }
  return writer.finish();
}

function unexpired(records: readonly JournalRecord[], now: number): JournalRecord[] {
  return records.filter((record) => record.untilMs >= now);
}
