/**
 * One item at a time from who has it to who reads it: the writer waits until its item was taken, so
 * nothing gathers between both. When the reader is gone, or nobody ever reads, items are dropped.
 */

export class Handoff {
  #item: { readonly value: unknown; readonly taken: () => void } | undefined;
  #wake: (() => void) | undefined;
  #over = false;

  /** Resolves when the item was taken, or nobody will take it. One writer. */
  put(value: unknown): Promise<void> {
    if (this.#over) return Promise.resolve();
    return new Promise((taken) => {
      this.#item = { value, taken };
      this.#wakeReader();
    });
  }

  /** Nothing more comes, or nobody reads any more. Idempotent. */
  end(): void {
    this.#over = true;
    this.#item?.taken();
    this.#item = undefined;
    this.#wakeReader();
  }

  /** Items as they come, until the end. One reader. */
  async *items(): AsyncGenerator<unknown, void, void> {
    for (;;) {
      const item = this.#item;
      if (item !== undefined) {
        this.#item = undefined;
        item.taken();
        yield item.value;
      } else if (this.#over) return;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  #wakeReader(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
