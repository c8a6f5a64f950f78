/**
 * Several signals as one. The runtime has `AbortSignal.any` for that, but in Deno 2.6.8 the sources know
 * what it makes by a weak reference only: once nobody but its listeners holds it, the collector takes it,
 * and the listeners wait for ever.
 */

/** Aborts with the first of them, for the same reason, until it is disposed of. */
export class FirstSignal implements Disposable {
  readonly #controller = new AbortController();
  readonly #resources = new DisposableStack();

  constructor(...sources: readonly AbortSignal[]) {
    for (const source of sources) {
      const abort = () => this.#controller.abort(source.reason);
      if (source.aborted) abort();
      source.addEventListener("abort", abort);
      this.#resources.defer(() => source.removeEventListener("abort", abort));
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The sources hold nothing of it any more. Idempotent. */
  [Symbol.dispose](): void {
    this.#resources.dispose();
  }
}
