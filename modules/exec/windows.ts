/** Sizes of a terminal's window, as they change, between the keys that are typed into it. */

/** In characters. */
export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

export class Windows {
  #latest: WindowSize | undefined;
  #wake: (() => void) | undefined;

  /** The newest one alone counts. */
  changed(window: WindowSize): void {
    this.#latest = window;
    this.#wake?.();
  }

  /** Ends with the keys. */
  async *mixedWith(
    keys: AsyncGenerator<Uint8Array>,
  ): AsyncGenerator<Uint8Array | WindowSize, void, void> {
    let next = keys.next();
    for (;;) {
      const { promise: change, resolve } = Promise.withResolvers<undefined>();
      this.#wake = () => resolve(undefined);
      if (this.#latest === undefined) {
        const result = await Promise.race([next, change]);
        if (result?.done) return;
        if (result !== undefined) {
          yield result.value;
          next = keys.next();
        }
      }
      const latest = this.#latest;
      if (latest === undefined) continue;
      // Before it is sent: the next one may come while that waits.
      this.#latest = undefined;
      yield latest;
    }
  }
}
