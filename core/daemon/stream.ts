/**
 * The two ends of one direction of a stream. The sender spends credit, the receiver gives it back
 * as its reader takes items, so a slow reader slows the writer and memory stays bounded.
 */

import { CallError, ProtocolError } from "../errors.ts";
import { STREAM_CREDIT_BYTES } from "../limits.ts";

const READY = Promise.resolve();

interface Item {
  readonly body: unknown;
  readonly weight: number;
}

/** What arrives: a bounded queue with one reader. */
export class StreamReceiver implements AsyncIterable<unknown> {
  readonly #giveCredit: (bytes: number) => void;
  readonly #items: Item[] = [];
  #head = 0;
  #waiting = 0;
  #taken = 0;
  #over: { readonly error: Error | undefined } | undefined;
  #discard = false;
  #wake: (() => void) | undefined;

  constructor(giveCredit: (bytes: number) => void) {
    this.#giveCredit = giveCredit;
  }

  /** Bytes that nobody has read yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Throws ProtocolError when the peer sends without credit. */
  push(body: unknown, weight: number): void {
    if (this.#over !== undefined) return;
    if (this.#discard) return this.#took(weight);
    // The last item may have overdrawn the credit by its own weight, never more.
    if (this.#waiting >= STREAM_CREDIT_BYTES) {
      throw new ProtocolError(`Stream sends without credit: ${this.#waiting} bytes are unread`);
    }
    this.#waiting += weight;
    this.#items.push({ body, weight });
    this.#wakeReader();
  }

  /** No more items; those that are here can still be read. With an error, the reader gets it last. */
  finish(error?: Error): void {
    if (this.#over !== undefined) return;
    this.#over = { error };
    this.#wakeReader();
  }

  /** Nobody will read: throws away what is here and what comes. */
  discard(): void {
    this.#discard = true;
    for (let i = this.#head; i < this.#items.length; i++) {
      this.#took((this.#items[i] as Item).weight);
    }
    this.#items.length = this.#head = 0;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void, void> {
    for (;;) {
      while (this.#head < this.#items.length) {
        const item = this.#take();
        this.#waiting -= item.weight;
        this.#took(item.weight);
        yield item.body;
      }
      if (this.#over !== undefined) {
        if (this.#over.error !== undefined) throw this.#over.error;
        return;
      }
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** What was taken is let go, also where a slow reader never gets to the end. */
  #take(): Item {
    const item = this.#items[this.#head++] as Item;
    if (2 * this.#head >= this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }

  #took(weight: number): void {
    this.#taken += weight;
    if (this.#taken < STREAM_CREDIT_BYTES / 2 || this.#over !== undefined) return;
    this.#giveCredit(this.#taken);
    this.#taken = 0;
  }

  #wakeReader(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/** An item that was handed to its conduit: what it weighs, and when there is room for more. */
export interface Sent {
  readonly weight: number;
  readonly done: Promise<void>;
}

/** What is sent: one after the other, also for a caller who does not wait; waits for credit. */
export class StreamSender {
  #credit = STREAM_CREDIT_BYTES;
  #over: CallError | undefined;
  #wake: (() => void) | undefined;
  /** Never rejects. */
  #last: Promise<void> = READY;

  /** `transmit` hands one item to the conduit. Rejects with what ended the stream. */
  send(transmit: () => Sent): Promise<void> {
    const sending = this.#last.then(() => this.#sendNext(transmit));
    this.#last = sending.catch(() => {
      // Told to who sent it; the next one finds out for itself.
    });
    return sending;
  }

  /** Resolves when everything before was handed over, or never will be. */
  flush(): Promise<void> {
    return this.#last;
  }

  give(bytes: number): void {
    this.#credit += bytes;
    this.#wakeSender();
  }

  /** Every later send, and the one that waits, fails with `error`. */
  finish(error: CallError): void {
    this.#over ??= error;
    this.#wakeSender();
  }

  async #sendNext(transmit: () => Sent): Promise<void> {
    while (this.#credit <= 0 && this.#over === undefined) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (this.#over !== undefined) throw this.#over;
    const { weight, done } = transmit();
    this.#credit -= weight;
    await done;
  }

  #wakeSender(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
