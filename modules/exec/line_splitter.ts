/**
 * Cuts a stream of bytes into whole lines, each with its line feed. A line that is longer than the
 * bound comes in pieces, cut between characters, and what is left at the end comes without a line feed.
 */

import { LINE_BYTES_MAX } from "./limits.ts";
import { tailOf } from "./text_tail.ts";

const LINE_FEED = 0x0a;

export class LineSplitter {
  #rest: Uint8Array[] = [];
  #restBytes = 0;

  /** The lines that end in these bytes. */
  push(bytes: Uint8Array): Uint8Array[] {
    const lines: Uint8Array[] = [];
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(LINE_FEED, start);
      if (end < 0) break;
      lines.push(this.#joined(bytes.subarray(start, end + 1)));
      start = end + 1;
    }
    const rest = bytes.subarray(start);
    if (rest.length > 0) {
      // Not a view: it would keep the whole message alive that brought it.
      this.#rest.push(rest.slice());
      this.#restBytes += rest.length;
    }
    if (this.#restBytes >= LINE_BYTES_MAX) lines.push(this.#piece());
    return lines;
  }

  /** What there is, but for a character that has only begun. */
  #piece(): Uint8Array {
    const whole = this.#joined(new Uint8Array(0));
    const tail = tailOf(whole);
    if (tail === 0) return whole;
    this.#rest.push(whole.slice(-tail));
    this.#restBytes = tail;
    return whole.subarray(0, -tail);
  }

  /** What came after the last line feed; undefined when there is nothing. */
  finish(): Uint8Array | undefined {
    return this.#restBytes === 0 ? undefined : this.#joined(new Uint8Array(0));
  }

  #joined(end: Uint8Array): Uint8Array {
    if (this.#rest.length === 0) return end;
    const whole = new Uint8Array(this.#restBytes + end.length);
    let at = 0;
    for (const part of [...this.#rest, end]) {
      whole.set(part, at);
      at += part.length;
    }
    this.#rest = [];
    this.#restBytes = 0;
    return whole;
  }
}
