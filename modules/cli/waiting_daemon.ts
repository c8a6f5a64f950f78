/**
 * A daemon that waits for its certificate before it can run: SIGHUP lets it read its mesh file again,
 * in which another registrar may stand, and ask at once.
 */

import { type Clock, errorText, FirstSignal, type Log, MinimeError } from "../../core/mod.ts";
import type { HangUps } from "./hang_ups.ts";

/** What waiting takes. */
export interface WaitOptions {
  readonly clock: Pick<Clock, "sleep">;
  readonly hangUps: HangUps;
  readonly log: Log;
  /** Reads the file again; rejects with MinimeError when it cannot be used. */
  readonly read: () => Promise<void>;
  /** Aborts when the daemon is told to stop. */
  readonly signal: AbortSignal;
}

/** From the first round of asking to the last. */
export class WaitingDaemon implements AsyncDisposable {
  readonly #options: WaitOptions;
  readonly #taken: Disposable;
  #hurry = new AbortController();
  /** Never rejects with what a person has done wrong. */
  #reading: Promise<void> = Promise.resolve();

  constructor(options: WaitOptions) {
    this.#options = options;
    this.#taken = options.hangUps.take(() => {
      this.#reading = this.#reading.then(() => this.#readAgain());
    });
  }

  /** Resolves after that time, and sooner when the file was read again or the daemon stops. */
  async pause(ms: number): Promise<void> {
    const { clock, signal } = this.#options;
    const hurry = this.#hurry.signal;
    using first = new FirstSignal(signal, hurry);
    await clock.sleep(ms, { signal: first.signal }).catch(() => {}); // Then it is over.
    if (hurry.aborted) this.#hurry = new AbortController();
  }

  /** What is being read counts before this resolves. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#taken[Symbol.dispose]();
    await this.#reading;
  }

  async #readAgain(): Promise<void> {
    const { log, read } = this.#options;
    try {
      await read();
      log("info", "Mesh file read again");
    } catch (error) {
      if (!(error instanceof MinimeError)) throw error;
      log("error", `The mesh file stays as it was: ${errorText(error)}`);
    }
    this.#hurry.abort();
  }
}
