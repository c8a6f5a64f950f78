/**
 * Many timers on one of the runtime's, which is set for the earliest: nearly all are deadlines, set and
 * cancelled within milliseconds, and one of the runtime's own costs ten times what an entry here does.
 * A cancelled entry lies in the heap until it is the first, or until most are. Used by the real clock.
 */
import type { Timer } from "./environment.ts";

export interface TimerQueueOptions {
  /** Milliseconds; never goes back. */
  readonly monotonic: () => number;
  /** One timer of the runtime. */
  readonly wakeAfter: (ms: number, run: () => void) => Timer;
  /** Runs it when all is done that the last one has set off. */
  readonly wakeSoon: (run: () => void) => void;
}

interface Entry {
  /** Monotonic ms. */
  readonly at: number;
  /** Of two for the same moment the older one runs first. */
  readonly number: number;
  /** Undefined once it ran or was cancelled. */
  run: (() => void) | undefined;
}

/** Cancelled entries that lie around, beside as many as are waiting. */
const CANCELLED_MAX = 64;

export class TimerQueue {
  readonly #options: TimerQueueOptions;
  /** A binary heap: the earliest first, none before its parent. */
  #heap: Entry[] = [];
  #waiting = 0;
  #number = 0;
  #wakeUp: Timer | undefined;
  #wakeAt = Infinity;

  constructor(options: TimerQueueOptions) {
    this.#options = options;
  }

  /** Entries, cancelled ones included. */
  get size(): number {
    return this.#heap.length;
  }

  after(ms: number, run: () => void): Timer {
    const at = this.#options.monotonic() + Math.max(0, ms);
    const entry: Entry = { at, number: this.#number++, run };
    this.#push(entry);
    this.#waiting++;
    if (at < this.#wakeAt) this.#wakeFor(entry);
    return { cancel: () => this.#cancel(entry) };
  }

  #cancel(entry: Entry): void {
    if (entry.run === undefined) return;
    entry.run = undefined;
    if (--this.#waiting === 0) {
      this.#heap.length = 0;
      this.#wakeUp?.cancel();
      this.#wakeAt = Infinity;
    } else if (this.#heap.length > 2 * this.#waiting + CANCELLED_MAX) {
      const kept = this.#heap.filter(({ run }) => run !== undefined);
      this.#heap = [];
      for (const each of kept) this.#push(each);
    }
  }

  /** Runs one: whatever it sets off comes before the next one, and no error of its keeps others back. */
  readonly #wake = (): void => {
    this.#wakeAt = Infinity;
    const first = this.#first();
    if (first === undefined) return;
    if (first.at > this.#options.monotonic()) return this.#wakeFor(first);
    const { run } = first;
    first.run = undefined;
    this.#waiting--;
    const next = this.#first();
    if (next !== undefined) this.#wakeFor(next);
    run?.();
  };

  #wakeFor({ at }: Entry): void {
    const { monotonic, wakeAfter, wakeSoon } = this.#options;
    this.#wakeUp?.cancel();
    this.#wakeAt = at;
    const ms = at - monotonic();
    if (ms > 0) this.#wakeUp = wakeAfter(ms, this.#wake);
    else wakeSoon(this.#wake);
  }

  /** The earliest that is waiting. */
  #first(): Entry | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.run !== undefined) return first;
      const last = this.#heap.pop() as Entry;
      if (last !== first) this.#sink(last);
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt] as Entry;
      if (isBefore(parent, entry)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = entry;
  }

  /** Into the place of the first one. */
  #sink(entry: Entry): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let childAt = 2 * at + 1;
      const [left, right] = [heap[childAt], heap[childAt + 1]];
      if (left === undefined) break;
      const isRight = right !== undefined && isBefore(right, left);
      if (isRight) childAt++;
      const child = isRight ? right : left;
      if (isBefore(entry, child)) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = entry;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.number < b.number);
}
