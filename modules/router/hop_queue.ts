/**
 * What waits for one next hop: three lanes by priority, and in each lane the neighbours that brought
 * it take turns, and of one neighbour its streams; so that nobody can starve another by sending more,
 * nor by inventing sources. Every share is bounded; what does not fit is refused by `push`, with the
 * reason. Pure bookkeeping.
 */

import { PRIORITY, type Priority } from "../../core/mod.ts";
import {
  FLOW_QUEUE_BYTES_MAX,
  FLOWS_MAX,
  HOP_QUEUE_BYTES_MAX,
  INLET_BYTES_MAX,
  INLET_QUEUE_BYTES_MAX,
  QUEUED_PACKET_BYTES,
  SOURCE_QUEUE_BYTES_MAX,
  SWIFT_QUEUE_BYTES_MAX,
  TRANSIT_BYTES_MAX,
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
  /** Names neighbour, source and stream. */
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

  get size(): number {
    return this.#bytes.size;
  }

  add(key: string, bytes: number): void {
    const sum = this.of(key) + bytes;
    if (sum === 0) this.#bytes.delete(key);
    else this.#bytes.set(key, sum);
  }
}

/** What all queues of a daemon hold together. */
export class Ledger {
  total = 0;
  readonly inlets = new Account();
}

/** One for each next hop. */
export class HopQueue {
  readonly #ledger: Ledger;
  /** By priority. */
  readonly #lanes = [new Lane(), new Lane(), new Lane()] as const;
  readonly #inlets = new Account();
  readonly #sources = new Account();
  readonly #flows = new Account();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  get bytes(): number {
    return this.#lanes.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get packets(): number {
    return this.#lanes.reduce((sum, { packets }) => sum + packets, 0);
  }

  /** Undefined when it waits now; else what is full. */
  push(waiting: Waiting): string | undefined {
    const { inlet, source, flow } = waiting;
    const cost = costOf(waiting);
    const { priority } = waiting.packet;
    const lane = this.#lanes[priority];
    const laneMax = priority === PRIORITY.bulk ? HOP_QUEUE_BYTES_MAX : SWIFT_QUEUE_BYTES_MAX;
    if (lane.bytes + cost > laneMax) return "queue is full";
    if (this.#inlets.of(inlet) + cost > INLET_QUEUE_BYTES_MAX) return "neighbour's share is full";
    if (this.#sources.of(source) + cost > SOURCE_QUEUE_BYTES_MAX) return "source's share is full";
    if (this.#flows.of(flow) + cost > FLOW_QUEUE_BYTES_MAX) return "stream's share is full";
    if (this.#flows.size >= FLOWS_MAX && this.#flows.of(flow) === 0) return "too many streams wait";
    if (this.#ledger.total + cost > TRANSIT_BYTES_MAX) return "daemon is full";
    if (this.#ledger.inlets.of(inlet) + cost > INLET_BYTES_MAX) {
      return "neighbour has too much here";
    }
    this.#count(waiting, cost);
    lane.push(waiting, cost);
    return undefined;
  }

  /** The next one of that priority. */
  shift(priority: Priority): Waiting | undefined {
    const waiting = this.#lanes[priority].shift();
    if (waiting !== undefined) this.#count(waiting, -costOf(waiting));
    return waiting;
  }

  #count(waiting: Waiting, cost: number): void {
    this.#inlets.add(waiting.inlet, cost);
    this.#sources.add(waiting.source, cost);
    this.#flows.add(waiting.flow, cost);
    this.#ledger.total += cost;
    this.#ledger.inlets.add(waiting.inlet, cost);
  }
}

interface Flow {
  readonly key: string;
  readonly packets: Waiting[];
}

interface Inlet {
  readonly key: string;
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

  push(waiting: Waiting, cost: number): void {
    this.bytes += cost;
    this.packets++;
    let inlet = this.#inlets.get(waiting.inlet);
    if (inlet === undefined) {
      inlet = { key: waiting.inlet, flows: new Map(), ring: [] };
      this.#inlets.set(inlet.key, inlet);
      this.#ring.push(inlet);
    }
    let flow = inlet.flows.get(waiting.flow);
    if (flow === undefined) {
      flow = { key: waiting.flow, packets: [] };
      inlet.flows.set(waiting.flow, flow);
      inlet.ring.push(flow);
    }
    flow.packets.push(waiting);
  }

  shift(): Waiting | undefined {
    const inlet = this.#ring.shift();
    if (inlet === undefined) return undefined;
    const flow = inlet.ring.shift() as Flow;
    const waiting = flow.packets.shift() as Waiting;
    if (flow.packets.length > 0) inlet.ring.push(flow);
    else inlet.flows.delete(flow.key);
    if (inlet.ring.length > 0) this.#ring.push(inlet);
    else this.#inlets.delete(inlet.key);
    this.bytes -= costOf(waiting);
    this.packets--;
    return waiting;
  }
}

function costOf({ packet }: Waiting): number {
  return QUEUED_PACKET_BYTES + packet.bytes.length;
}
