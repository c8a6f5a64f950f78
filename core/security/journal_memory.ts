/**
 * The replay journal of a daemon whose key dies with it: in memory, and handed over to the program
 * that it goes on as.
 */
import { JOURNAL_REQUESTS_PER_KEY_MAX } from "../limits.ts";
import type { JournalRecord, KeptJournal } from "./journal.ts";

export interface JournalMemoryOptions {
  /** Unix ms. */
  readonly now: () => number;
  /** What the program before has left. @default nothing */
  readonly earlier?: readonly JournalRecord[];
  /** Records before those that expired are looked for. @default JOURNAL_REQUESTS_PER_KEY_MAX */
  readonly recordsMax?: number;
}

export class JournalMemory implements KeptJournal {
  readonly #options: JournalMemoryOptions;
  #records: JournalRecord[];
  #recordsMax: number;

  constructor(options: JournalMemoryOptions) {
    this.#options = options;
    this.#records = [...options.earlier ?? []];
    this.#recordsMax = options.recordsMax ?? JOURNAL_REQUESTS_PER_KEY_MAX;
  }

  /** What must not run again. */
  get records(): readonly JournalRecord[] {
    const now = this.#options.now();
    return this.#records.filter(({ untilMs }) => untilMs >= now);
  }

  append({ keyId, requestId, untilMs }: JournalRecord): Promise<void> {
    if (this.#records.length >= this.#recordsMax) {
      this.#records = [...this.records];
      // As many again may come before all are looked at once more.
      this.#recordsMax = Math.max(this.#recordsMax, 2 * this.#records.length);
    }
    this.#records.push({ keyId, requestId, untilMs });
    return Promise.resolve();
  }
}
