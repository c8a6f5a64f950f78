/**
 * One next hop: its queue, and a sender for each priority. Control goes as events over the link's
 * carrier; the others as requests, which the hop answers as soon as it has them, so that only a small
 * window is under way and what waits can still be overtaken and shared out here; bulk over the bulk
 * half. Whoever brings a packet never waits.
 */

import {
  CallError,
  type Clock,
  errorText,
  type Link,
  PRIORITY,
  type Priority,
  type Teller,
} from "../../core/mod.ts";
import { HopQueue, type Ledger, type Waiting } from "./hop_queue.ts";
import { HOP_SILENCE_MS_MAX, HOP_WINDOW_BYTES, TROUBLE_MS } from "./limits.ts";

/** The verb that carries packets from a router to its neighbour. */
export const FORWARD_VERB = "router.forward";

export interface NextHopOptions {
  readonly clock: Pick<Clock, "monotonic">;
  readonly ledger: Ledger;
  /** The conduit for a packet; dials where its class allows. Rejects with CallError. */
  readonly reach: (waiting: Waiting) => Link | Promise<Link>;
  /** A packet was not carried on. */
  readonly onFailed: (waiting: Waiting, error: unknown) => void;
  /** Nothing waits and nothing is under way. */
  readonly onIdle: () => void;
}

interface Sender {
  readonly priority: Priority;
  busy: boolean;
  /** Bytes handed over that the hop has not answered. */
  underWay: number;
  wake: (() => void) | undefined;
}

export class NextHop {
  readonly #options: NextHopOptions;
  readonly #queue: HopQueue;
  readonly #senders: readonly Sender[] = [PRIORITY.bulk, PRIORITY.normal, PRIORITY.control].map(
    (priority) => ({ priority, busy: false, underWay: 0, wake: undefined }),
  );
  #noBulkUntil = 0;

  constructor(options: NextHopOptions) {
    this.#options = options;
    this.#queue = new HopQueue(options.ledger);
  }

  get idle(): boolean {
    return this.#senders.every(({ busy, underWay }) => !busy && underWay === 0);
  }

  get packets(): number {
    return this.#queue.packets;
  }

  get bytes(): number {
    return this.#queue.bytes;
  }

  /** Undefined when it will be sent, or `onFailed` told; else why there is no room for it. */
  push(waiting: Waiting): string | undefined {
    const full = this.#queue.push(waiting);
    if (full !== undefined) return full;
    const sender = this.#senders[waiting.packet.priority] as Sender;
    if (!sender.busy) void this.#run(sender);
    return undefined;
  }

  /** Never rejects. Only one runs for each sender at a time. */
  async #run(sender: Sender): Promise<void> {
    sender.busy = true;
    for (;;) {
      while (sender.underWay >= HOP_WINDOW_BYTES) {
        await new Promise<void>((resolve) => sender.wake = resolve);
      }
      const waiting = this.#queue.shift(sender.priority);
      if (waiting === undefined) break;
      waiting.onTaken?.();
      try {
        await this.#hand(sender, waiting);
      } catch (error) {
        this.#options.onFailed(waiting, error);
      }
    }
    sender.busy = false;
    this.#rest();
  }

  /** Resolves when the next one may be handed over. */
  async #hand(sender: Sender, waiting: Waiting): Promise<void> {
    const found = this.#options.reach(waiting);
    // No turn of the event loop is lost on what stands.
    const link = found instanceof Promise ? await found : found;
    const { bytes } = waiting.packet;
    const { priority } = sender;
    if (priority === PRIORITY.control) return await link.tell(FORWARD_VERB, bytes, priority);
    const teller = priority === PRIORITY.bulk ? await this.#bulkOf(link) : link;
    const taken = teller.request(FORWARD_VERB, bytes, {
      priority,
      deadlineMs: HOP_SILENCE_MS_MAX,
    });
    sender.underWay += bytes.length;
    void taken.then(
      () => this.#taken(sender, bytes.length),
      (error: unknown) => {
        this.#taken(sender, bytes.length);
        this.#options.onFailed(waiting, error);
      },
    );
  }

  /** Where there can be no bulk half, its work is done by the carrier. */
  async #bulkOf(link: Link): Promise<Teller> {
    const now = this.#options.clock.monotonic();
    if (now < this.#noBulkUntil) return link;
    try {
      return await link.bulk();
    } catch (error) {
      if (!(error instanceof CallError)) {
        throw new CallError("unreachable", errorText(error), { cause: error });
      }
      this.#noBulkUntil = now + TROUBLE_MS;
      return link;
    }
  }

  #taken(sender: Sender, bytes: number): void {
    sender.underWay -= bytes;
    const { wake } = sender;
    sender.wake = undefined;
    wake?.();
    this.#rest();
  }

  #rest(): void {
    if (this.idle && this.#queue.packets === 0) this.#options.onIdle();
  }
}
