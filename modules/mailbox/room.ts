/**
 * Room for letters, of one tag or of a whole node, and how much of it each sender has taken. A sender
 * that has some gets more only as long as it leaves half as much free to others: alone it fills two
 * thirds of the room, two fill four fifths, and there is something left for whoever comes next.
 */

import type { Fullness } from "./letter.ts";
import { LETTER_WEIGHT_BYTES, SENDER_SHARE } from "./limits.ts";

/** Bytes and letters that are there, or for which room is reserved. */
interface Account {
  bytes: number;
  letters: number;
}

export interface RoomOptions {
  readonly of: Fullness["of"];
  readonly bytesMax: number;
  readonly lettersMax: number;
}

export class Room {
  readonly #options: RoomOptions;
  readonly #taken: Account = { bytes: 0, letters: 0 };
  /** By key of the sender. */
  readonly #takenBy = new Map<string, Account>();

  constructor(options: RoomOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#taken.letters === 0;
  }

  get fullness(): Fullness {
    const { of, bytesMax, lettersMax } = this.#options;
    const { bytes, letters } = this.#taken;
    return { of, bytes, bytesMax, messages: letters, messagesMax: lettersMax };
  }

  /** Undefined when a letter of so many bytes fits; with `own` when it is the sender's share that lacks. */
  lack(sender: string, bytes: number): Fullness | undefined {
    const { bytesMax, lettersMax } = this.#options;
    const weight = bytes + LETTER_WEIGHT_BYTES;
    const bytesFree = bytesMax - this.#taken.bytes - weight;
    const lettersFree = lettersMax - this.#taken.letters - 1;
    if (bytesFree < 0 || lettersFree < 0) return this.fullness;
    const own = this.#takenBy.get(sender);
    if (own === undefined) return undefined;
    const isFair = own.bytes + weight <= SENDER_SHARE * bytesFree &&
      own.letters + 1 <= SENDER_SHARE * lettersFree;
    if (isFair) return undefined;
    return { ...this.fullness, own: { bytes: own.bytes, messages: own.letters } };
  }

  /** Whether it fits or not. */
  take(sender: string, bytes: number): void {
    const own = this.#takenBy.get(sender) ?? { bytes: 0, letters: 0 };
    this.#takenBy.set(sender, own);
    for (const account of [this.#taken, own]) {
      account.bytes += bytes + LETTER_WEIGHT_BYTES;
      account.letters++;
    }
  }

  /** What was taken. */
  release(sender: string, bytes: number): void {
    const own = this.#takenBy.get(sender);
    if (own === undefined) throw new Error(`Sender ${sender} has taken no room`);
    for (const account of [this.#taken, own]) {
      account.bytes -= bytes + LETTER_WEIGHT_BYTES;
      account.letters--;
    }
    if (own.letters === 0) this.#takenBy.delete(sender);
  }
}
