/**
 * Events on their way to the administrator's program: so many run at once, of one node one after the
 * other. Of a node only the last event waits: what became of it meanwhile need not be told any more.
 * Each waits for a moment, since a node that starts anew is often seen twice: as it was, and as it is.
 */

import type { Clock, Timer } from "../../core/mod.ts";
import type { NodeEvent } from "./node_event.ts";

export interface EventQueueOptions {
  readonly clock: Pick<Clock, "after" | "monotonic">;
  /** So long each event waits at least, from the first that is told of its node. */
  readonly settleMs: number;
  readonly atOnceMax: number;
  readonly waitingMax: number;
  /** Never rejects. */
  readonly run: (event: NodeEvent) => Promise<void>;
  /** There is no room for this one. */
  readonly onDropped: (event: NodeEvent) => void;
}

export class EventQueue {
  readonly #options: EventQueueOptions;
  /** By key id, in the order in which they came. */
  readonly #waiting = new Map<string, { readonly event: NodeEvent; readonly dueAt: number }>();
  readonly #running = new Map<string, Promise<void>>();
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: EventQueueOptions) {
    this.#options = options;
  }

  push(event: NodeEvent): void {
    if (this.#closed) return;
    const { keyId } = event.node;
    const { clock, settleMs, waitingMax, onDropped } = this.#options;
    const dueAt = this.#waiting.get(keyId)?.dueAt ?? clock.monotonic() + settleMs;
    if (!this.#waiting.has(keyId) && this.#waiting.size >= waitingMax) {
      const [[oldest, dropped]] = this.#waiting as unknown as [[string, { event: NodeEvent }]];
      this.#waiting.delete(oldest);
      onDropped(dropped.event);
    }
    this.#waiting.set(keyId, { event, dueAt });
    this.#pump();
  }

  /** What waits is forgotten; resolves when nothing runs any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#waiting.clear();
    await Promise.all(this.#running.values());
  }

  #pump(): void {
    const { clock, atOnceMax } = this.#options;
    this.#timer?.cancel();
    const now = clock.monotonic();
    for (const [keyId, { event, dueAt }] of this.#waiting) {
      // The next one that ends comes here again.
      if (this.#running.size >= atOnceMax) return;
      if (this.#running.has(keyId)) continue;
      // They stand in the order in which they become due.
      if (dueAt > now) {
        this.#timer = clock.after(dueAt - now, () => this.#pump());
        return;
      }
      this.#waiting.delete(keyId);
      const run = this.#options.run(event).finally(() => {
        this.#running.delete(keyId);
        this.#pump();
      });
      this.#running.set(keyId, run);
    }
  }
}
