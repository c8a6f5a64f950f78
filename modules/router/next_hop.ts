/**
 * One next hop: its queue, and a sender for each priority. Packets go as events, bulk over the bulk
 * half of the link and the others over its carrier. The hop says now and then how much of bulk and
 * normal it has taken, so that only a small window is under way and what waits can still be overtaken
 * and shared out here. Whoever brings a packet never waits.
 */

import {
  ByteReader,
  ByteWriter,
  CallError,
  type Clock,
  errorText,
  type Link,
  PRIORITY,
  type Priority,
  type Teller,
} from "../../core/mod.ts";
import { HopQueue, type Ledger, type Waiting } from "./hop_queue.ts";
import { HopWindow } from "./hop_window.ts";
import { HOP_STALL_MS, TROUBLE_MS } from "./limits.ts";

/** The verb that carries packets from a router to its neighbour. */
export const FORWARD_VERB = "router.forward";
/** The verb by which the neighbour says what it has taken. */
export const TAKEN_VERB = "router.taken";

/** So many bytes of that priority. */
export interface Taken {
  readonly priority: Priority;
  readonly bytes: number;
}

/** The body of {@link TAKEN_VERB}: u8 priority, u32 bytes. */
export function writeTaken({ priority, bytes }: Taken): Uint8Array {
  return new ByteWriter("Report", 5).u8(priority, "priority").u32(bytes, "bytes").finish();
}

/** Throws ProtocolError. */
export function readTaken(body: Uint8Array): Taken {
  const reader = new ByteReader(body, "Report");
  const priority = reader.u8("priority") as Priority;
  const bytes = reader.u32("bytes");
  reader.end();
  if (priority > PRIORITY.control) throw reader.error("priority", `is ${priority}`);
  return { priority, bytes };
}

export interface NextHopOptions {
  readonly clock: Pick<Clock, "monotonic" | "after">;
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
  /** By which the bytes under way go; when it is over nothing of them comes any more. */
  way: Way | undefined;
  window: HopWindow;
  wake: (() => void) | undefined;
}

/** A link, or the bulk half of one. */
type Way = Pick<Teller, "tell">;

/** Its neighbour, by whatever link or conduit on demand there is. */
export class NextHop {
  readonly #options: NextHopOptions;
  readonly #queue: HopQueue;
  readonly #senders: readonly Sender[] = [PRIORITY.bulk, PRIORITY.normal, PRIORITY.control].map(
    (priority) => ({
      priority,
      busy: false,
      way: undefined,
      window: new HopWindow(),
      wake: undefined,
    }),
  );
  #noBulkUntil = 0;

  constructor(options: NextHopOptions) {
    this.#options = options;
    this.#queue = new HopQueue(options.ledger);
  }

  get idle(): boolean {
    return this.#senders.every(({ busy }) => !busy);
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

  /** The hop has taken so much. */
  taken({ priority, bytes }: Taken): void {
    const sender = this.#senders[priority] as Sender;
    sender.window.taken(bytes, this.#options.clock.monotonic());
    wakeUp(sender);
  }

  /** Never rejects. Only one runs for each sender at a time. */
  async #run(sender: Sender): Promise<void> {
    sender.busy = true;
    for (;;) {
      if (sender.window.full) await this.#room(sender);
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
    if (this.idle) this.#options.onIdle();
  }

  /** What was lost with a conduit that died is never reported; after a while that does not count. */
  async #room(sender: Sender): Promise<void> {
    const timer = this.#options.clock.after(HOP_STALL_MS, () => {
      sender.window.clear();
      wakeUp(sender);
    });
    while (sender.window.full) {
      await new Promise<void>((resolve) => sender.wake = resolve);
    }
    timer.cancel();
  }

  /** Resolves when the next one may be handed over. */
  async #hand(sender: Sender, waiting: Waiting): Promise<void> {
    const found = this.#options.reach(waiting);
    // No turn of the event loop is lost on what stands.
    const link = found instanceof Promise ? await found : found;
    const { bytes } = waiting.packet;
    const { priority } = sender;
    const way = priority === PRIORITY.bulk ? await this.#bulkOf(sender, link) : link;
    if (way === link) this.#take(sender, link, link.closed);
    if (priority === PRIORITY.control) return await way.tell(FORWARD_VERB, bytes, priority);
    const { window } = sender;
    window.handed(bytes.length, this.#options.clock.monotonic());
    try {
      await way.tell(FORWARD_VERB, bytes, priority);
    } catch (error) {
      window.returned(bytes.length);
      throw error;
    }
  }

  /** From now on that way is taken. What was under way on another one, or is when it ends, is lost. */
  #take(sender: Sender, way: Way, over: Promise<unknown>): void {
    if (sender.way === way) return;
    sender.way = way;
    sender.window = new HopWindow();
    void over.then(() => {
      if (sender.way !== way) return;
      sender.way = undefined;
      sender.window.clear();
      wakeUp(sender);
    });
  }

  /** Where there can be no bulk half, its work is done by the carrier. */
  async #bulkOf(sender: Sender, link: Link): Promise<Way> {
    const now = this.#options.clock.monotonic();
    if (now < this.#noBulkUntil) return link;
    try {
      const half = await link.bulk();
      this.#take(sender, half, half.done);
      return half;
    } catch (error) {
      if (!(error instanceof CallError)) {
        throw new CallError("unreachable", errorText(error), { cause: error });
      }
      this.#noBulkUntil = now + TROUBLE_MS;
      return link;
    }
  }
}

function wakeUp(sender: Sender): void {
  const { wake } = sender;
  sender.wake = undefined;
  wake?.();
}
