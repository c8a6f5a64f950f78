/** What ping(8) prints at its end: how many were lost, and minimum, mean, maximum and deviation. */

/** One ping: its round trip, or why there was none. */
export type PingAnswer =
  | {
    readonly ms: number;
    readonly hops: number | undefined;
    /** Names of the nodes behind us, when they were recorded. */
    readonly way?: readonly string[];
    readonly why?: never;
  }
  | { readonly why: string; readonly ms?: never };

/** Keeps sums only: a ping may run for weeks. */
export class PingStatistics {
  #sent = 0;
  #answered = 0;
  #sum = 0;
  #squares = 0;
  #minimum = Infinity;
  #maximum = 0;
  #hops: number | undefined;
  #lastWhy: string | undefined;

  get answered(): number {
    return this.#answered;
  }

  add(answer: PingAnswer): void {
    this.#sent++;
    if (answer.ms === undefined) {
      this.#lastWhy = answer.why;
      return;
    }
    this.#answered++;
    this.#sum += answer.ms;
    this.#squares += answer.ms * answer.ms;
    this.#minimum = Math.min(this.#minimum, answer.ms);
    this.#maximum = Math.max(this.#maximum, answer.ms);
    this.#hops = answer.hops;
  }

  /** Two lines, or one when nothing came back. */
  text(elapsedMs: number): string {
    const counts = `${this.#sent} sent, ${this.#answered} answered, ` +
      `${this.#lossPercent()}% lost, time ${Math.round(elapsedMs)} ms`;
    if (this.#answered === 0) return counts;
    const figures = [this.#minimum, this.#mean(), this.#maximum, this.#deviation()];
    const texts = figures.map((figure) => figure.toFixed(3)).join("/");
    return `${counts}\nround trip min/avg/max/mdev = ${texts} ms`;
  }

  /** For programs; times only when there was an answer. */
  json(): Record<string, unknown> {
    return {
      sent: this.#sent,
      answered: this.#answered,
      lossPercent: this.#lossPercent(),
      ...(this.#answered === 0 ? {} : {
        minMs: this.#minimum,
        avgMs: this.#mean(),
        maxMs: this.#maximum,
        mdevMs: this.#deviation(),
      }),
      ...(this.#hops === undefined ? {} : { hops: this.#hops }),
      ...(this.#lastWhy === undefined ? {} : { lastError: this.#lastWhy }),
    };
  }

  #mean(): number {
    return this.#sum / this.#answered;
  }

  #deviation(): number {
    return Math.sqrt(Math.max(0, this.#squares / this.#answered - this.#mean() ** 2));
  }

  #lossPercent(): number {
    if (this.#sent === 0) return 0;
    return Number((100 * (this.#sent - this.#answered) / this.#sent).toFixed(1));
  }
}
