/** A place for one thing between several writers and one reader: who writes waits for the reader. */

export class Mailbox<T> {
  readonly #items: T[] = [];
  readonly #writers: (() => void)[] = [];
  #wakeReader: (() => void) | undefined;
  #closed = false;

  /** Resolves when there was room for it. After `close` it is thrown away. */
  async put(item: T): Promise<void> {
    while (this.#items.length > 0 && !this.#closed) {
      await new Promise<void>((resolve) => this.#writers.push(resolve));
    }
    if (this.#closed) return;
    this.#items.push(item);
    this.#wake();
  }

  /** What is here can still be read. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const writer of this.#writers.splice(0)) writer();
    this.#wake();
  }

  /** Ends after `close`. For one reader, who closes it by leaving. */
  async *items(): AsyncGenerator<T, void, void> {
    try {
      for (;;) {
        const item = this.#items.shift();
        if (item !== undefined) {
          this.#writers.shift()?.();
          yield item;
        } else if (this.#closed) return;
        else await new Promise<void>((resolve) => this.#wakeReader = resolve);
      }
    } finally {
      this.close();
    }
  }

  #wake(): void {
    const wake = this.#wakeReader;
    this.#wakeReader = undefined;
    wake?.();
  }
}
