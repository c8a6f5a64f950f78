/**
 * The mailboxes of one daemon, one for each tag, made by their first letter and gone with the last. All
 * in memory and bounded, by tag and in all, and of each no sender gets all: who sends learns that there
 * is no room, and may wait for it in turn. Room is reserved for a whole letter before its first byte is kept, so that letters which come
 * in parts never wait for each other.
 */

import { CallError, type Clock, type Timer } from "../../core/mod.ts";
import { type Fullness, isFrom, type Letter } from "./letter.ts";
import {
  NODE_BYTES_MAX,
  NODE_LETTERS_MAX,
  READERS_MAX,
  SENDER_WAITERS_MAX,
  TAG_BYTES_MAX,
  TAG_LETTERS_MAX,
  WAITERS_MAX,
} from "./limits.ts";
import { Room } from "./room.ts";

/** What room is reserved for. */
export interface Parcel {
  readonly tag: string;
  readonly bytes: number;
  /** By key. */
  readonly sender: string;
}

interface Mailbox {
  readonly room: Room;
  readonly unread: Letter[];
}

interface Reader {
  readonly tag: string;
  readonly from: string | undefined;
  give(letter: Letter): void;
}

interface Writer extends Parcel {
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
  readonly #all = new Room({
    of: "node",
    bytesMax: NODE_BYTES_MAX,
    lettersMax: NODE_LETTERS_MAX,
  });
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
  async reserve(parcel: Parcel, patience: Patience): Promise<Fullness | undefined> {
    const writer: Writer = { ...parcel, wake: () => {} };
    const mayWait = patience.ms > 0 && this.#mayWait(parcel.sender);
    this.#writers.add(writer);
    try {
      this.#wakeWriters();
      if (mayWait && this.#writers.has(writer)) {
        await wait(this.#clock, patience, (resolve) => writer.wake = resolve);
      }
      if (!this.#writers.has(writer)) return undefined;
      return this.#lack(parcel) ??
        { ...this.#box(parcel.tag).room.fullness, ahead: this.#ahead(writer) };
    } catch (error) {
      // Room came in the very moment in which nobody wanted it any more.
      if (!this.#writers.has(writer)) this.release(parcel);
      throw error;
    } finally {
      if (this.#writers.delete(writer)) this.#wakeWriters();
      this.#tidy(parcel.tag);
    }
  }

  /** Into room that was reserved for it. */
  add(tag: string, letter: Letter): void {
    for (const reader of this.#readers) {
      if (reader.tag !== tag || !isFrom(letter, reader.from)) continue;
      this.#readers.delete(reader);
      this.release(parcelOf(tag, letter));
      return reader.give(letter);
    }
    this.#box(tag).unread.push(letter);
  }

  /** What was reserved is not needed, or its letter was read. */
  release({ tag, sender, bytes }: Parcel): void {
    for (const room of [this.#box(tag).room, this.#all]) room.release(sender, bytes);
    this.#tidy(tag);
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
    this.#take(parcelOf(tag, letter));
    this.#box(tag).unread.unshift(letter);
  }

  #takeNow(tag: string, from: string | undefined): Letter | undefined {
    const box = this.#boxes.get(tag);
    const index = box?.unread.findIndex((letter) => isFrom(letter, from)) ?? -1;
    if (box === undefined || index < 0) return undefined;
    const [letter] = box.unread.splice(index, 1) as [Letter];
    this.release(parcelOf(tag, letter));
    return letter;
  }

  #take({ tag, sender, bytes }: Parcel): void {
    for (const room of [this.#box(tag).room, this.#all]) room.take(sender, bytes);
  }

  #mayWait(sender: string): boolean {
    const own = [...this.#writers].filter((writer) => writer.sender === sender).length;
    return this.#writers.size < WAITERS_MAX && own < SENDER_WAITERS_MAX;
  }

  /**
   * Whose turn it is: under each tag the one who came first. Who waits only because it has its share
   * already holds up nobody but itself.
   */
  #wakeWriters(): void {
    const waiting = new Set<string>();
    for (const writer of this.#writers) {
      const { tag, sender } = writer;
      const line = `${tag} ${sender}`;
      if (waiting.has(tag) || waiting.has(line)) continue;
      const lack = this.#lack(writer);
      if (lack !== undefined) {
        waiting.add(lack.own === undefined ? tag : line);
        continue;
      }
      this.#writers.delete(writer);
      this.#take(writer);
      writer.wake();
    }
  }

  /** How many came before it and hold it up. */
  #ahead(late: Writer): number {
    let count = 0;
    for (const writer of this.#writers) {
      if (writer === late) break;
      if (writer.tag !== late.tag) continue;
      if (writer.sender === late.sender || this.#lack(writer)?.own === undefined) count++;
    }
    return count;
  }

  /** Undefined when there is room for it. */
  #lack({ tag, sender, bytes }: Parcel): Fullness | undefined {
    return this.#box(tag).room.lack(sender, bytes) ?? this.#all.lack(sender, bytes);
  }

  #box(tag: string): Mailbox {
    let box = this.#boxes.get(tag);
    if (box === undefined) {
      const limits = { bytesMax: TAG_BYTES_MAX, lettersMax: TAG_LETTERS_MAX };
      box = { room: new Room({ of: "tag", ...limits }), unread: [] };
      this.#boxes.set(tag, box);
    }
    return box;
  }

  #tidy(tag: string): void {
    if (this.#boxes.get(tag)?.room.isEmpty) this.#boxes.delete(tag);
  }
}

function parcelOf(tag: string, { bytes, from }: Letter): Parcel {
  return { tag, bytes, sender: from.keyId };
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
