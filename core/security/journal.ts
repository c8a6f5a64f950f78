/**
 * Runs each signed request at most once (SECURITY.md R7): request id -> reply, per key id, until the
 * request could not be accepted again. A copy attaches to the first, running or finished, and gets
 * its reply. Each key has its own quota of requests; a full one refuses that key alone, and nothing
 * is ever evicted to make room.
 *
 * Replies are kept only while they are small: of a reply that was too large a copy learns that the
 * request ran and that the reply is gone. The same of requests from before a restart, which come
 * back from the {@link JournalStore} without their replies.
 */
import type { Clock, Timer } from "../environment/environment.ts";
import { AuthenticationError, CallError, errorText } from "../errors.ts";
import {
  JOURNAL_REPLY_BYTES_MAX,
  JOURNAL_REPLY_BYTES_PER_KEY_MAX,
  JOURNAL_REQUESTS_PER_KEY_MAX,
  JOURNAL_SWEEP_MS,
} from "../limits.ts";

/** A request that must not run again. */
export interface JournalRecord {
  /** Hex. */
  readonly keyId: string;
  /** Hex. */
  readonly requestId: string;
  /** Unix ms until which a copy could be accepted. */
  readonly untilMs: number;
  /** It runs even if it cannot be stored. @default false */
  readonly mayBeLost?: boolean;
}

/** Where records survive a restart. */
export interface JournalStore {
  /** Resolves when a restarted daemon would know of the record. */
  append(record: JournalRecord): Promise<void>;
}

/** A store that tells what it was given. */
export interface KeptJournal extends JournalStore {
  /** Those that were not expired when anybody looked. */
  readonly records: readonly JournalRecord[];
}

export interface JournalOptions<T> {
  readonly clock: Pick<Clock, "now" | "after">;
  /** How many bytes it takes to keep a reply. Must not throw. */
  readonly sizeOf: (reply: T) => number;
  /** @default none: a restarted daemon would not know what it ran */
  readonly store?: JournalStore;
  /** What the store remembered of earlier lives. @default none */
  readonly earlier?: readonly JournalRecord[];
  /** @default JOURNAL_REQUESTS_PER_KEY_MAX */
  readonly requestsPerKeyMax?: number;
  /** @default JOURNAL_REPLY_BYTES_MAX */
  readonly replyBytesMax?: number;
  /** @default JOURNAL_REPLY_BYTES_PER_KEY_MAX */
  readonly replyBytesPerKeyMax?: number;
}

export interface JournalAnswer<T> {
  /** The reply or failure of the one run. */
  readonly promise: Promise<T>;
  /** True when the request was known, and `run` was not called. */
  readonly copy: boolean;
}

interface Entry<T> {
  readonly untilMs: number;
  finished: boolean;
  /** Bytes of the reply that count against the key while it is kept. */
  bytes: number;
  /** What a copy gets. */
  answer: () => Promise<T>;
}

interface KeyEntries<T> {
  readonly entries: Map<string, Entry<T>>;
  replyBytes: number;
}

export class Journal<T> implements Disposable {
  readonly #options: JournalOptions<T>;
  readonly #requestsMax: number;
  readonly #keys = new Map<string, KeyEntries<T>>();
  #sweep: Timer | undefined;
  #disposed = false;

  constructor(options: JournalOptions<T>) {
    this.#options = options;
    this.#requestsMax = options.requestsPerKeyMax ?? JOURNAL_REQUESTS_PER_KEY_MAX;
    for (const { keyId, requestId, untilMs } of options.earlier ?? []) {
      if (untilMs < options.clock.now()) continue;
      const answer = () =>
        gone<T>(`Request ${requestId} ran before this daemon was restarted, its reply is gone`);
      this.#key(keyId).entries.set(requestId, { untilMs, finished: true, bytes: 0, answer });
    }
    this.#armSweep();
  }

  /** Requests remembered, of all keys. */
  get size(): number {
    let size = 0;
    for (const { entries } of this.#keys.values()) size += entries.size;
    return size;
  }

  /**
   * Remembers the request, at once and before anything is waited for, and runs it; or attaches to
   * the run that there was. With a store, `run` starts when the record is stored, and never when
   * that fails. Throws AuthenticationError "quota" when the key's quota is full.
   */
  once(record: JournalRecord, run: () => Promise<T>): JournalAnswer<T> {
    if (this.#disposed) throw new CallError("refused", "Journal is closed: the daemon stops");
    const key = this.#key(record.keyId);
    const known = key.entries.get(record.requestId);
    if (known) return { promise: known.answer(), copy: true };
    this.#makeRoom(record.keyId, key);
    const { promise, resolve } = Promise.withResolvers<T>();
    const entry: Entry<T> = {
      untilMs: record.untilMs,
      finished: false,
      bytes: 0,
      answer: () => promise,
    };
    key.entries.set(record.requestId, entry);
    this.#armSweep();
    resolve(this.#start(record, run));
    promise.then(
      (reply) => this.#finish(key, { record, entry, bytes: this.#options.sizeOf(reply) }),
      (error) => this.#finish(key, { record, entry, bytes: errorText(error).length }),
    );
    return { promise, copy: false };
  }

  /** Forgets everything and stops the timer; runs go on. Idempotent. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#sweep?.cancel();
    this.#sweep = undefined;
    this.#keys.clear();
  }

  // An async function runs to its first await at once: without a store, `run` starts here and now.
  async #start(record: JournalRecord, run: () => Promise<T>): Promise<T> {
    const { store } = this.#options;
    if (store) {
      try {
        await store.append(record);
      } catch (cause) {
        if (record.mayBeLost !== true) {
          throw new CallError("refused", `Request cannot be recorded: ${errorText(cause)}`, {
            cause,
          });
        }
      }
    }
    return await run();
  }

  #key(keyId: string): KeyEntries<T> {
    let key = this.#keys.get(keyId);
    if (!key) this.#keys.set(keyId, key = { entries: new Map(), replyBytes: 0 });
    return key;
  }

  #makeRoom(keyId: string, key: KeyEntries<T>): void {
    if (key.entries.size < this.#requestsMax) return;
    this.#purge(key);
    if (key.entries.size < this.#requestsMax) return;
    throw new AuthenticationError(
      "quota",
      `Key ${keyId} has ${key.entries.size} requests that are not forgotten yet, ${this.#requestsMax} is the most`,
    );
  }

  #finish(
    key: KeyEntries<T>,
    options: { record: JournalRecord; entry: Entry<T>; bytes: number },
  ): void {
    const { record: { requestId }, entry, bytes } = options;
    const { replyBytesMax = JOURNAL_REPLY_BYTES_MAX } = this.#options;
    const { replyBytesPerKeyMax = JOURNAL_REPLY_BYTES_PER_KEY_MAX } = this.#options;
    entry.finished = true;
    if (bytes > replyBytesMax) {
      entry.answer = () =>
        gone(
          `Request ${requestId} ran, but its reply of ${bytes} bytes was too large to keep (${replyBytesMax} bytes)`,
        );
    } else if (key.replyBytes + bytes > replyBytesPerKeyMax) {
      entry.answer = () =>
        gone(
          `Request ${requestId} ran, but its reply is gone: ${replyBytesPerKeyMax} bytes of replies are kept for a key`,
        );
    } else {
      entry.bytes = bytes;
      key.replyBytes += bytes;
    }
  }

  #purge(key: KeyEntries<T>): void {
    const now = this.#options.clock.now();
    for (const [requestId, entry] of key.entries) {
      if (!entry.finished || entry.untilMs >= now) continue;
      key.entries.delete(requestId);
      key.replyBytes -= entry.bytes;
    }
  }

  #armSweep(): void {
    if (this.#sweep || this.#disposed || this.#keys.size === 0) return;
    this.#sweep = this.#options.clock.after(JOURNAL_SWEEP_MS, () => {
      this.#sweep = undefined;
      for (const [keyId, key] of this.#keys) {
        this.#purge(key);
        if (key.entries.size === 0) this.#keys.delete(keyId);
      }
      this.#armSweep();
    });
  }
}

/** Made for each asker, so that no rejected promise lies around unobserved. */
function gone<T>(text: string): Promise<T> {
  return Promise.reject(new CallError("failed", text, { detail: { ran: true } }));
}
