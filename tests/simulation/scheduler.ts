/**
 * Virtual time: events ordered by (time, order of scheduling), run one by one. Between two events
 * all microtasks are drained, so what an event set off has settled before the next one. This holds
 * as long as nothing under test waits for the real world: modules that are imported lazily must have
 * been loaded before.
 */
import type { Timer } from "../../core/environment/environment.ts";

declare const setImmediate: (run: () => void) => unknown;

/** Runs all microtasks that there are, now; where a runtime cannot, each event takes a real turn. */
const drain = (Deno as unknown as Record<symbol, Internals | undefined>)[
  (Deno as unknown as { readonly internal: symbol }).internal
]?.core?.runMicrotasks;

interface Internals {
  readonly core?: { readonly runMicrotasks?: () => void };
}

/** A real turn after so many events: only there are rejections reported that nobody handles. */
const EVENTS_PER_TURN = drain === undefined ? 1 : 64;

/** More than any test needs: whoever gets here waits for something that never happens. */
const EVENTS_MAX = 20_000_000;
/** Cancelled events stay in the heap until they are this many and the majority. */
const CANCELLED_MIN = 1_024;

/** Whose event it is: events of the dead are dropped, those of the frozen wait. */
export interface Owner {
  readonly dead: boolean;
  readonly frozen: boolean;
  /** Keeps an event that came due while frozen. */
  hold(run: () => void): void;
}

interface Event {
  readonly time: number;
  readonly order: number;
  readonly owner: Owner | undefined;
  /** Undefined once it ran or was cancelled. */
  run: (() => void) | undefined;
}

export interface RunOptions {
  /** Stops as soon as this holds; asked before every event. */
  readonly until?: () => boolean;
  /** Stops after this much virtual time. @default without end */
  readonly forMs?: number;
  /** @default 20 million */
  readonly eventsMax?: number;
}

export class Scheduler {
  #now = 0;
  #order = 0;
  #heap: Event[] = [];
  #cancelled = 0;
  #running = false;
  #ran = 0;

  /** Virtual milliseconds since the simulation began. */
  get now(): number {
    return this.#now;
  }

  /** Events executed so far. */
  get ran(): number {
    return this.#ran;
  }

  /** Events still to come whose owner is asked for. */
  pending(isAskedFor: (owner: Owner | undefined) => boolean): number {
    return this.#heap.filter(({ run, owner }) => run !== undefined && isAskedFor(owner)).length;
  }

  schedule(ms: number, run: () => void, owner?: Owner): Timer {
    return this.scheduleAt(this.#now + Math.max(0, ms), run, owner);
  }

  scheduleAt(time: number, run: () => void, owner?: Owner): Timer {
    if (Number.isNaN(time)) throw new TypeError("An event needs a time, not NaN");
    const event: Event = { time: Math.max(time, this.#now), order: this.#order++, owner, run };
    this.#push(event);
    return { cancel: () => this.#cancel(event) };
  }

  /**
   * Runs events until `until` holds, `forMs` are over or nothing is left. Resolves with whether
   * `until` held (true without `until`); rejects with what an event threw.
   */
  run(options: RunOptions = {}): Promise<boolean> {
    if (this.#running) throw new Error("The simulation is running already");
    this.#running = true;
    const { until, forMs = Infinity, eventsMax = EVENTS_MAX } = options;
    const end = this.#now + forMs;
    const ranMax = this.#ran + eventsMax;
    return new Promise<boolean>((resolve, reject) => {
      const turn = () => {
        try {
          for (let i = 0; i < EVENTS_PER_TURN; i++) {
            if (until?.()) return resolve(true);
            const time = this.#nextTime();
            if (time === undefined || time > end) {
              if (end !== Infinity) this.#now = end;
              return resolve(until === undefined);
            }
            if (this.#ran >= ranMax) throw new Error(`Still not done after ${eventsMax} events`);
            this.#step();
            drain?.();
          }
          setImmediate(turn);
        } catch (error) {
          reject(error);
        }
      };
      setImmediate(turn);
    }).finally(() => this.#running = false);
  }

  /** Of the next event that will do something: what the dead had armed moves no clock either. */
  #nextTime(): number | undefined {
    while (this.#heap.length > 0) {
      const next = this.#heap[0]!;
      if (next.run !== undefined && !next.owner?.dead) return next.time;
      this.#pop();
      if (next.run === undefined) this.#cancelled--;
      next.run = undefined;
    }
    return undefined;
  }

  #step(): void {
    const event = this.#pop();
    const { owner, run } = event;
    event.run = undefined;
    this.#now = event.time;
    this.#ran++;
    if (!owner?.frozen) return run!();
    // Held, it must stay cancellable.
    event.run = run;
    owner.hold(() => {
      const held = event.run;
      event.run = undefined;
      held?.();
    });
  }

  #cancel(event: Event): void {
    if (event.run === undefined) return;
    event.run = undefined;
    this.#cancelled++;
    if (this.#cancelled < CANCELLED_MIN || this.#cancelled * 2 < this.#heap.length) return;
    const live = this.#heap.filter((each) => each.run !== undefined);
    this.#heap = [];
    this.#cancelled = 0;
    for (const each of live) this.#push(each);
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!before(event, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = event;
  }

  #pop(): Event {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    const length = heap.length;
    if (length === 0) return top;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= length) break;
      if (below + 1 < length && before(heap[below + 1]!, heap[below]!)) below++;
      if (!before(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
    return top;
  }
}

function before(a: Event, b: Event): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
