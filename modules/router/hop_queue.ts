/**
 * What waits for one next hop: three lanes by priority; in each lane the neighbours that brought
 * it take turns, and of one neighbour its streams; so that nobody can starve another by sending more,
 * nor by inventing sources. Every share is bounded, in each lane for itself; what does not fit is
 * refused by `push`, with the reason. Pure bookkeeping.
 */

import type { Priority } from "../../core/mod.ts";
import {
  BULK_SHARES,
  FLOWS_MAX,
  INLET_FLOWS_MAX,
  QUEUED_PACKET_BYTES,
  type QueueShares,
  SWIFT_SHARES,
} from "./limits.ts";
import type { Packet } from "./packet.ts";

/** A packet that waits. */
export interface Waiting {
  readonly packet: Packet;
  /** Our place in its path. */
  readonly place: number;
  /** Key id of the neighbour that brought it, or "" for our own. */
  readonly inlet: string;
  /** Key id of the source that it names. */
  readonly source: string;
  /** Names source and stream, among those of the neighbour. */
  readonly flow: string;
  /** Told once it waits no longer, whatever became of it. */
  readonly onTaken?: () => void;
}

/** Bytes by whoever has them here; keys that have none are forgotten. */
export class Account {
  readonly #bytes = new Map<string, number>();

  of(key: string): number {
    return this.#bytes.get(key) ?? 0;
  }

  /** Keys that have some. */
  get size(): number {
    return this.#bytes.size;
  }

  add(key: string, bytes: number): void {
    const sum = this.of(key) + bytes;
    if (sum === 0) this.#bytes.delete(key);
    else this.#bytes.set(key, sum);
  }
}

/** What all queues of a daemon hold of one priority. */
class LaneLedger {
  total = 0;
  readonly inlets = new Account();
}

/** What all queues of a daemon hold together. */
export class Ledger {
  /** By priority. */
  readonly lanes = [new LaneLedger(), new LaneLedger(), new LaneLedger()] as const;

  /** In bytes. */
  get total(): number {
    return this.lanes.reduce((sum, { total }) => sum + total, 0);
  }
}

/** One for each next hop. */
export class HopQueue {
  /** By priority. */
  readonly #lanes: readonly [Lane, Lane, Lane];

  constructor({ lanes: [bulk, normal, control] }: Ledger) {
    this.#lanes = [
      new Lane(BULK_SHARES, bulk),
      new Lane(SWIFT_SHARES, normal),
      new Lane(SWIFT_SHARES, control),
    ];
  }

  get bytes(): number {
    return this.#lanes.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get packets(): number {
    return this.#lanes.reduce((sum, { packets }) => sum + packets, 0);
  }

  /** Undefined when it waits now; else what is full. */
  push(waiting: Waiting): string | undefined {
    return this.#lanes[waiting.packet.priority].push(waiting);
  }

  /** The next one of that priority. */
  shift(priority: Priority): Waiting | undefined {
    return this.#lanes[priority].shift();
  }
}

interface Flow {
  readonly key: string;
  readonly packets: Waiting[];
  bytes: number;
}

interface Inlet {
  readonly key: string;
  bytes: number;
  readonly flows: Map<string, Flow>;
  /** Next one first. */
  readonly ring: Flow[];
}

/** One priority. */
class Lane {
  bytes = 0;
  packets = 0;
  readonly #inlets = new Map<string, Inlet>();
  readonly #ring: Inlet[] = [];
  /** By neighbour and source: nobody fills the share of others by naming them. */
  readonly #sources = new Account();
  readonly #shares: QueueShares;
  readonly #ledger: LaneLedger;
  #flowCount = 0;

  constructor(shares: QueueShares, ledger: LaneLedger) {
    this.#shares = shares;
    this.#ledger = ledger;
  }

  /** Undefined when it waits now; else what is full. */
  push(waiting: Waiting): string | undefined {
    const shares = this.#shares;
    const cost = costOf(waiting);
    if (this.bytes + cost > shares.hop) return "queue is full";
    if (this.#sources.of(sourceOf(waiting)) + cost > shares.hopSource) {
      return "source's share is full";
    }
    if (this.#ledger.total + cost > shares.all) return "daemon is full";
    if (this.#ledger.inlets.of(waiting.inlet) + cost > shares.inlet) {
      return "neighbour has too much here";
    }
    const known = this.#inlets.get(waiting.inlet);
    const inlet: Inlet = known ??
      { key: waiting.inlet, bytes: 0, flows: new Map(), ring: [] };
    if (inlet.bytes + cost > shares.hopInlet) return "neighbour's share is full";
    const present = inlet.flows.get(waiting.flow);
    if (present === undefined) {
      if (this.#flowCount >= FLOWS_MAX) return "too many streams wait";
      if (inlet.flows.size >= INLET_FLOWS_MAX) return "too many streams of the neighbour wait";
    }
    const flow: Flow = present ?? { key: waiting.flow, bytes: 0, packets: [] };
    if (flow.bytes + cost > shares.hopFlow) return "stream's share is full";
    if (known === undefined) {
      this.#inlets.set(inlet.key, inlet);
      this.#ring.push(inlet);
    }
    if (present === undefined) {
      this.#flowCount++;
      inlet.flows.set(flow.key, flow);
      inlet.ring.push(flow);
    }
    flow.packets.push(waiting);
    this.packets++;
    this.#count(waiting, { inlet, flow, cost });
    return undefined;
  }

  shift(): Waiting | undefined {
    const inlet = this.#ring.shift();
    if (inlet === undefined) return undefined;
    const flow = inlet.ring.shift() as Flow;
    const waiting = flow.packets.shift() as Waiting;
    if (flow.packets.length > 0) inlet.ring.push(flow);
    else {
      inlet.flows.delete(flow.key);
      this.#flowCount--;
    }
    if (inlet.ring.length > 0) this.#ring.push(inlet);
    else this.#inlets.delete(inlet.key);
    this.packets--;
    this.#count(waiting, { inlet, flow, cost: -costOf(waiting) });
    return waiting;
  }

  #count(
    waiting: Waiting,
    { inlet, flow, cost }: { readonly inlet: Inlet; readonly flow: Flow; readonly cost: number },
  ): void {
    inlet.bytes += cost;
    flow.bytes += cost;
    this.bytes += cost;
    this.#sources.add(sourceOf(waiting), cost);
    this.#ledger.total += cost;
    this.#ledger.inlets.add(waiting.inlet, cost);
  }
}

function sourceOf({ inlet, source }: Waiting): string {
  return `${inlet} ${source}`;
}

function costOf({ packet }: Waiting): number {
  return QUEUED_PACKET_BYTES + packet.bytes.length;
}
