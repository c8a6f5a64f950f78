/**
 * One run of an operation's steps at this node: its outcome, what it has streamed, who carries it. It
 * outlives the conduit that brought it, because the origin will send again; when nobody has carried it
 * for a while, the origin has died, and it is cancelled.
 */

import { type Call, CallError, type Clock, type Timer } from "../../core/mod.ts";
import type { Sink } from "./broadcast.ts";
import { ORPHAN_MS } from "./limits.ts";
import type { Outcome, Run } from "./runs.ts";
import { Tape } from "./tape.ts";

export interface KeptRunParts {
  /** Canonical text of the steps, or the signed request: a copy must be the same in every bit. */
  readonly order: string | Uint8Array;
  /** Unix ms: no copy can be accepted any more, unless it is still at work. */
  readonly untilMs: number;
  /** What it weighs in the account of all runs, its outcome left out. */
  readonly bytes: number;
  readonly clock: Pick<Clock, "now" | "after">;
}

export class KeptRun {
  readonly order: string | Uint8Array;
  untilMs: number;
  readonly tape = new Tape();
  bytes: number;
  finished = false;
  readonly #clock: Pick<Clock, "now" | "after">;
  readonly #controller = new AbortController();
  #outcome: Promise<Outcome> | undefined;
  #carriers = 0;
  /** How many ever carried it; and of those who let go, without cancelling it, the newest one's number. */
  #carried = 0;
  #newestLost = 0;
  #orphaned: Timer | undefined;
  #call: Call | undefined;
  /** Place of the next item of input. */
  #nextInput = 0;

  constructor({ order, untilMs, bytes, clock }: KeptRunParts) {
    this.order = order;
    this.untilMs = untilMs;
    this.bytes = bytes;
    this.#clock = clock;
  }

  /** Aborts when nobody wants it any more. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get outcome(): Promise<Outcome> {
    return this.#outcome as Promise<Outcome>;
  }

  /** Once at the beginning, and again when the answer is given up. It never rejects. */
  set outcome(outcome: Promise<Outcome>) {
    this.#outcome = outcome;
  }

  /** Keeps what the call streams, at the pace of whoever reads it. Gives its reply. */
  async follow(call: Call): Promise<unknown> {
    this.#call = call;
    for await (const item of call) {
      this.tape.push(item);
      await this.tape.room();
    }
    return await call.reply;
  }

  /** What came of it is known. Whose way was lost meanwhile comes for it by another one. */
  finish(): void {
    this.finished = true;
    this.untilMs = Math.max(this.untilMs, this.#clock.now() + ORPHAN_MS);
    this.tape.finish();
    this.#orphaned?.cancel();
  }

  cancel(why: string): void {
    this.tape.release();
    this.#controller.abort(new CallError("cancelled", why));
  }

  /** For one more that carries it, until it lets go. */
  carry(): Run {
    this.#carriers++;
    const number = ++this.#carried;
    this.#orphaned?.cancel();
    let carries = true;
    const letGo = () => {
      if (carries && --this.#carriers === 0 && !this.finished) this.#waitForAnother();
      carries = false;
    };
    return {
      outcome: this.outcome,
      items: () => this.tape.read(),
      ...this.#inputOfOne(),
      cancel: () => {
        // Whoever let go has no say any more. By another way it may be wanted still; and if a newer way
        // was lost, the origin seeks one that is newer again.
        const isWanted = !carries || this.#carriers > 1 || number < this.#newestLost;
        letGo();
        if (!isWanted) this.cancel("Operation was cancelled");
      },
      release: () => {
        if (carries) this.#newestLost = Math.max(this.#newestLost, number);
        letGo();
      },
    };
  }

  #waitForAnother(): void {
    this.#orphaned = this.#clock.after(ORPHAN_MS, () => {
      this.cancel("Nobody carries the operation any more");
    });
  }

  /** Everybody brings the input from its beginning; the run gets each item once. */
  #inputOfOne(): Sink {
    let place = 0;
    return {
      write: async (item) => {
        if (place++ < this.#nextInput) return;
        this.#nextInput++;
        await this.#call?.send(item);
      },
      end: async () => {
        if (place >= this.#nextInput) await this.#call?.end();
      },
    };
  }
}
