/**
 * The mailboxes of one daemon, one for each tag, made by their first letter and gone with the last. All
 * in memory and bounded, by tag and in all: who sends learns that there is no room, and may wait for it
 * in turn. Room is reserved for a whole letter before its first byte is kept, so that letters which come
 * in parts never wait for each other.
 */

import { CallError, type Clock, type Timer } from "../../core/mod.ts";
import { type Fullness, isFrom, type Letter } from "./letter.ts";
import {
  LETTER_WEIGHT_BYTES,
  NODE_BYTES_MAX,
  NODE_LETTERS_MAX,
  READERS_MAX,
  TAG_BYTES_MAX,
  TAG_LETTERS_MAX,
  WAITERS_MAX,
} from "./limits.ts";

/** Bytes and letters that are there, or for which room is reserved. */
interface Account {
  bytes: number;
  letters: number;
}

interface Mailbox extends Account {
  readonly unread: Letter[];
}

interface Reader {
  readonly tag: string;
  readonly from: string | undefined;
  give(letter: Letter): void;
}

interface Writer {
  readonly tag: string;
  readonly bytes: number;
  wake(): void;
}

/** For how long to wait, and what ends that too. */
export interface Patience {
  /** Infinity: as long as the signal allows. */
  readonly ms: number;
  readonly signal: AbortSignal;
}

export class Mailboxes {
  readonly #clock: Clock;
  readonly #boxes = new Map<string, Mailbox>();
  readonly #all: Account = { bytes: 0, letters: 0 };
  /** In the order in which they came. */
  readonly #readers = new Set<Reader>();
  readonly #writers = new Set<Writer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Letters that nobody has read. */
  get unread(): number {
    let count = 0;
    for (const { unread } of this.#boxes.values()) count += unread.length;
    return count;
  }

  /**
   * Reserves room for one letter: {@link add} fills it, {@link release} gives it back. Resolves with
   * how full it is when there was no room in time. Rejects with the signal's reason.
   */
  async reserve(tag: string, bytes: number, patience: Patience): Promise<Fullness | undefined> {
    const mayWait = patience.ms > 0 && this.#writers.size < WAITERS_MAX;
    // Nobody overtakes one who waits under the same tag.
    const isFirst = ![...this.#writers].some((writer) => writer.tag === tag);
    let full = this.#fullness(tag, bytes);
    if (full === undefined && isFirst) return this.#reserve(tag, bytes);
    if (!mayWait) return full ?? this.#fullnessOf(tag);
    const writer: Writer = { tag, bytes, wake: () => {} };
    this.#writers.add(writer);
    try {
      await wait(this.#clock, patience, (resolve) => writer.wake = resolve);
      full = this.#writers.has(writer) ? this.#fullnessOf(tag) : undefined;
      return full;
    } catch (error) {
      // Room came in the very moment in which nobody wanted it any more.
      if (!this.#writers.has(writer)) this.release(tag, bytes);
      throw error;
    } finally {
      if (this.#writers.delete(writer)) this.#wakeWriters();
    }
  }

  /** Into room that was reserved for it. */
  add(tag: string, letter: Letter): void {
    for (const reader of this.#readers) {
      if (reader.tag !== tag || !isFrom(letter, reader.from)) continue;
      this.#readers.delete(reader);
      this.release(tag, letter.bytes);
      return reader.give(letter);
    }
    this.#box(tag).unread.push(letter);
  }

  /** What was reserved is not needed, or its letter was read. */
  release(tag: string, bytes: number): void {
    const box = this.#box(tag);
    for (const account of [box, this.#all]) {
      account.bytes -= bytes + LETTER_WEIGHT_BYTES;
      account.letters--;
    }
    if (box.letters === 0) this.#boxes.delete(tag);
    this.#wakeWriters();
  }

  /**
   * The oldest one that fits, when there is one in time. Rejects with the signal's reason, and with
   * CallError when too many wait already.
   */
  async take(
    tag: string,
    from: string | undefined,
    patience: Patience,
  ): Promise<Letter | undefined> {
    patience.signal.throwIfAborted();
    const there = this.#takeNow(tag, from);
    if (there !== undefined || patience.ms <= 0) return there;
    if (this.#readers.size >= READERS_MAX) {
      throw new CallError("busy", `${READERS_MAX} readers wait for messages of this node already`);
    }
    let letter: Letter | undefined;
    const reader: Reader = { tag, from, give: () => {} };
    this.#readers.add(reader);
    try {
      await wait(this.#clock, patience, (resolve) => {
        reader.give = (given) => {
          letter = given;
          resolve();
        };
      });
      return letter;
    } catch (error) {
      if (letter !== undefined) this.putBack(tag, letter);
      throw error;
    } finally {
      this.#readers.delete(reader);
    }
  }

  /** One that was taken and not handed out: it is the oldest again, whether there is room or not. */
  putBack(tag: string, letter: Letter): void {
    for (const reader of this.#readers) {
      if (reader.tag !== tag || !isFrom(letter, reader.from)) continue;
      this.#readers.delete(reader);
      return reader.give(letter);
    }
    this.#reserve(tag, letter.bytes);
    this.#box(tag).unread.unshift(letter);
  }

  #takeNow(tag: string, from: string | undefined): Letter | undefined {
    const box = this.#boxes.get(tag);
    const index = box?.unread.findIndex((letter) => isFrom(letter, from)) ?? -1;
    if (box === undefined || index < 0) return undefined;
    const [letter] = box.unread.splice(index, 1) as [Letter];
    this.release(tag, letter.bytes);
    return letter;
  }

  #reserve(tag: string, bytes: number): undefined {
    for (const account of [this.#box(tag), this.#all]) {
      account.bytes += bytes + LETTER_WEIGHT_BYTES;
      account.letters++;
    }
  }

  /** Whose turn it is: under each tag the one who came first. */
  #wakeWriters(): void {
    const waiting = new Set<string>();
    for (const writer of this.#writers) {
      const { tag, bytes } = writer;
      if (waiting.has(tag) || this.#fullness(tag, bytes) !== undefined) {
        waiting.add(tag);
        continue;
      }
      this.#writers.delete(writer);
      this.#reserve(tag, bytes);
      writer.wake();
    }
  }

  /** Undefined when there is room for so much. */
  #fullness(tag: string, bytes: number): Fullness | undefined {
    const room = (account: Account, bytesMax: number, lettersMax: number) =>
      account.letters < lettersMax && account.bytes + bytes + LETTER_WEIGHT_BYTES <= bytesMax;
    const box = this.#boxes.get(tag) ?? { bytes: 0, letters: 0 };
    if (!room(box, TAG_BYTES_MAX, TAG_LETTERS_MAX)) return this.#fullnessOf(tag);
    if (room(this.#all, NODE_BYTES_MAX, NODE_LETTERS_MAX)) return undefined;
    const { bytes: taken, letters } = this.#all;
    return {
      of: "node",
      bytes: taken,
      bytesMax: NODE_BYTES_MAX,
      messages: letters,
      messagesMax: NODE_LETTERS_MAX,
    };
  }

  #fullnessOf(tag: string): Fullness {
    const { bytes, letters } = this.#boxes.get(tag) ?? { bytes: 0, letters: 0 };
    return {
      of: "tag",
      bytes,
      bytesMax: TAG_BYTES_MAX,
      messages: letters,
      messagesMax: TAG_LETTERS_MAX,
    };
  }

  #box(tag: string): Mailbox {
    let box = this.#boxes.get(tag);
    if (box === undefined) this.#boxes.set(tag, box = { bytes: 0, letters: 0, unread: [] });
    return box;
  }
}

/** Resolves when `begin`'s resolve was called, or the time is over. Rejects with the signal's reason. */
async function wait(
  clock: Clock,
  { ms, signal }: Patience,
  begin: (resolve: () => void) => void,
): Promise<void> {
  let timer: Timer | undefined;
  let onAbort = () => {};
  try {
    await new Promise<void>((resolve, reject) => {
      onAbort = () => reject(signal.reason);
      if (signal.aborted) return onAbort();
      signal.addEventListener("abort", onAbort);
      if (ms < Infinity) timer = clock.after(ms, resolve);
      begin(resolve);
    });
  } finally {
    timer?.cancel();
    signal.removeEventListener("abort", onAbort);
  }
}
