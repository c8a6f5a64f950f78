/**
 * How much may be under way to a next hop that has not said that it has it: what its conduit and the
 * kernel hold can be neither overtaken nor shared out. Little on a short way; more on a long one, by
 * the shortest time that a report ever took, so that a queue on the way does not widen it. Pure.
 */

import { HOP_BYTES_PER_MS, HOP_WINDOW_BYTES_MAX, HOP_WINDOW_BYTES_MIN } from "./limits.ts";

/** For one conduit in one direction. Times are monotonic milliseconds. */
export class HopWindow {
  #underWay = 0;
  /** Bytes handed over since the report that is timed covers them, and since when. */
  #timed: { bytes: number; readonly at: number } | undefined;
  #shortestMs = Infinity;

  get full(): boolean {
    return this.#underWay >= this.size;
  }

  /** In bytes. */
  get size(): number {
    if (this.#shortestMs === Infinity) return HOP_WINDOW_BYTES_MIN;
    const wanted = this.#shortestMs * HOP_BYTES_PER_MS;
    return Math.min(HOP_WINDOW_BYTES_MAX, Math.max(HOP_WINDOW_BYTES_MIN, wanted));
  }

  handed(bytes: number, now: number): void {
    this.#underWay += bytes;
    this.#timed ??= { bytes: this.#underWay, at: now };
  }

  /** The hop says that it has so many more. */
  taken(bytes: number, now: number): void {
    this.#underWay = Math.max(0, this.#underWay - bytes);
    if (this.#timed === undefined) return;
    this.#timed.bytes -= bytes;
    if (this.#timed.bytes > 0) return;
    this.#shortestMs = Math.min(this.#shortestMs, now - this.#timed.at);
    this.#timed = undefined;
  }

  /** What was handed over last was not taken by the conduit. */
  returned(bytes: number): void {
    this.#underWay = Math.max(0, this.#underWay - bytes);
    if (this.#timed === undefined) return;
    this.#timed.bytes -= bytes;
    if (this.#timed.bytes <= 0) this.#timed = undefined;
  }

  /** What was under way is lost. */
  clear(): void {
    this.#underWay = 0;
    this.#timed = undefined;
  }
}
