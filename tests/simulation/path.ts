/**
 * The condition of the way from one machine to another, one direction. Blocked, it loses everything;
 * what TCP would send again (data, window updates) waits and is carried once it opens.
 */
import type { SeededRandom } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

export interface PathOptions {
  /** One way. @default 0.2 (0.01 within a machine) */
  readonly delayMs?: number;
  /** Up to so much is added to the delay, by the path's own seeded stream. @default 0 */
  readonly jitterMs?: number;
  /** @default without limit */
  readonly bytesPerMs?: number;
  /** Dials are refused, as by a firewall that rejects. @default false */
  readonly refused?: boolean;
  /** There is no way: everything is lost, for ever, as by a firewall that drops. @default false */
  readonly absent?: boolean;
}

export class Path {
  delayMs: number;
  jitterMs: number;
  bytesPerMs: number;
  refused: boolean;
  readonly #absent: boolean;
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;
  #blocked = false;
  /** Cuts of the simulation that go through it. */
  #cuts = 0;
  /** When the wire is free again, under a limit of bandwidth. */
  #freeAt = 0;
  #waiting: (() => void)[] = [];

  constructor(scheduler: Scheduler, random: SeededRandom, options: PathOptions) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.delayMs = options.delayMs ?? 0.2;
    this.jitterMs = options.jitterMs ?? 0;
    this.bytesPerMs = options.bytesPerMs ?? Infinity;
    this.refused = options.refused ?? false;
    this.#absent = options.absent ?? false;
  }

  get blocked(): boolean {
    return this.#absent || this.#blocked || this.#cuts > 0;
  }

  change(options: PathOptions): void {
    this.delayMs = options.delayMs ?? this.delayMs;
    this.jitterMs = options.jitterMs ?? this.jitterMs;
    this.bytesPerMs = options.bytesPerMs ?? this.bytesPerMs;
    this.refused = options.refused ?? this.refused;
  }

  block(): void {
    this.#blocked = true;
  }

  /** After `block`; what cuts go through it stays cut. */
  open(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    this.#carryOn();
  }

  /** Blocked by one more cut. */
  cut(): void {
    this.#cuts++;
  }

  /** One of the cuts is over. */
  join(): void {
    this.#cuts--;
    this.#carryOn();
  }

  #carryOn(): void {
    if (this.blocked) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) this.#scheduler.schedule(this.delayMs, () => this.whenOpen(run));
  }

  /** Now, or after the path has opened. */
  whenOpen(run: () => void): void {
    if (this.blocked) this.#waiting.push(run);
    else run();
  }

  /** When so many bytes that leave now would be there. */
  arrival(bytes: number): number {
    const { now } = this.#scheduler;
    let leaves = now;
    if (this.bytesPerMs !== Infinity) {
      leaves = Math.max(now, this.#freeAt) + bytes / this.bytesPerMs;
      this.#freeAt = leaves;
    }
    const jitter = this.jitterMs === 0 ? 0 : this.jitterMs * this.#random.fraction();
    return leaves + this.delayMs + jitter;
  }
}
