/**
 * The replay journal on disk, so that a restarted daemon knows what it ran: records of 56 bytes, one
 * after the other, appended before the request runs.
 *
 *   key id 32 | request id 16 | u64 until_ms
 *
 * What expired is left out when the file is written anew: at each start, and when it has grown. A
 * record that a dying machine cut short is the last one, and its request never ran.
 */
import type { Files } from "../environment/environment.ts";
import { NotFoundError } from "../errors.ts";
import { JOURNAL_FILE_RECORDS_MAX, KEY_ID_BYTES, REQUEST_ID_BYTES } from "../limits.ts";
import { ByteReader, ByteWriter, fromHex, toHex } from "../wire/bytes.ts";
import type { JournalRecord, KeptJournal } from "./journal.ts";

type JournalFiles = Pick<Files, "append" | "read" | "write">;

export interface JournalFileOptions {
  readonly files: JournalFiles;
  readonly path: string;
  /** Unix ms. */
  readonly now: () => number;
  /** Records in the file before it is written anew. @default JOURNAL_FILE_RECORDS_MAX */
  readonly recordsMax?: number;
}

/** Appends records to one file. */
export class JournalFile implements KeptJournal {
  readonly #options: JournalFileOptions;
  /** Those that have not expired, as far as anybody looked. */
  #living: JournalRecord[];
  #recordsInFile: number;
  /** Never rejects. */
  #last: Promise<void> = Promise.resolve();

  /** Call {@link JournalFile.open}. */
  private constructor(options: JournalFileOptions, living: JournalRecord[]) {
    this.#options = options;
    this.#living = living;
    this.#recordsInFile = living.length;
  }

  /** Goes on with the file, which is made when it is missing. */
  static async open(options: JournalFileOptions): Promise<JournalFile> {
    const { files, path, now } = options;
    const living = (await readRecords(files, path)).filter(({ untilMs }) => untilMs >= now());
    await files.write(path, encodeRecords(living), { mode: 0o600 });
    return new JournalFile(options, living);
  }

  /** Of earlier lives: what must not run again. */
  get records(): readonly JournalRecord[] {
    return this.#living;
  }

  append(record: JournalRecord): Promise<void> {
    const done = this.#last.then(() => this.#append(record));
    this.#last = done.catch(() => {
      // Told to who appended; the next one tries for itself.
    });
    return done;
  }

  async #append(record: JournalRecord): Promise<void> {
    const { files, path, now, recordsMax = JOURNAL_FILE_RECORDS_MAX } = this.#options;
    if (this.#recordsInFile >= recordsMax) {
      const living = this.#living.filter(({ untilMs }) => untilMs >= now());
      await files.write(path, encodeRecords(living), { mode: 0o600 });
      this.#living = living;
      // Of so many that live, half as many more may come before the file is looked at again.
      this.#recordsInFile = Math.min(living.length, recordsMax / 2);
    }
    try {
      await files.append(path, encodeRecords([record]), { mode: 0o600 });
    } catch (error) {
      // A full disk may have taken half of it: the next one begins with a whole file.
      this.#recordsInFile = Infinity;
      throw error;
    }
    this.#living.push(record);
    this.#recordsInFile++;
  }
}

const RECORD_BYTES = KEY_ID_BYTES + REQUEST_ID_BYTES + 8;

function encodeRecords(records: readonly JournalRecord[]): Uint8Array {
  const writer = new ByteWriter("journal", RECORD_BYTES * records.length);
  for (const { keyId, requestId, untilMs } of records) {
    writer.fixed(fromHex(keyId), KEY_ID_BYTES, "key id")
      .fixed(fromHex(requestId), REQUEST_ID_BYTES, "request id")
      .u64(Math.floor(untilMs), "until");
  }
  return writer.finish();
}

async function readRecords(
  files: Pick<JournalFiles, "read">,
  path: string,
): Promise<JournalRecord[]> {
  let bytes: Uint8Array;
  try {
    bytes = await files.read(path);
  } catch (error) {
    if (error instanceof NotFoundError) return [];
    throw error;
  }
  const reader = new ByteReader(bytes, `Journal "${path}"`);
  const records: JournalRecord[] = [];
  while (reader.remaining >= RECORD_BYTES) {
    records.push({
      keyId: toHex(reader.bytes(KEY_ID_BYTES, "key id")),
      requestId: toHex(reader.bytes(REQUEST_ID_BYTES, "request id")),
      untilMs: reader.u64Number("until"),
    });
  }
  return records;
}
