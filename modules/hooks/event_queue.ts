/**
 * Events on their way to the administrator's program: so many run at once, of one node one after the
 * other. Of a node only the last event waits: what became of it meanwhile need not be told any more.
 */

import type { NodeEvent } from "./node_event.ts";

export interface EventQueueOptions {
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
  readonly #waiting = new Map<string, NodeEvent>();
  readonly #running = new Map<string, Promise<void>>();
  #closed = false;

  constructor(options: EventQueueOptions) {
    this.#options = options;
  }

  push(event: NodeEvent): void {
    if (this.#closed) return;
    const { keyId } = event.node;
    if (!this.#waiting.has(keyId) && this.#waiting.size >= this.#options.waitingMax) {
      const [[oldest, dropped]] = this.#waiting as unknown as [[string, NodeEvent]];
      this.#waiting.delete(oldest);
      this.#options.onDropped(dropped);
    }
    this.#waiting.set(keyId, event);
    this.#pump();
  }

  /** What waits is forgotten; resolves when nothing runs any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.clear();
    await Promise.all(this.#running.values());
  }

  #pump(): void {
    for (const [keyId, event] of this.#waiting) {
      if (this.#running.size >= this.#options.atOnceMax) return;
      if (this.#running.has(keyId)) continue;
      this.#waiting.delete(keyId);
      const run = this.#options.run(event).finally(() => {
        this.#running.delete(keyId);
        this.#pump();
      });
      this.#running.set(keyId, run);
    }
  }
}
