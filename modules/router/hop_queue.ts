/**
 * What waits for one next hop: three lanes by priority; in each lane the neighbours that brought
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
  INLET_FLOWS_MAX,
  INLET_QUEUE_BYTES_MAX,
  QUEUED_PACKET_BYTES,
  SOURCE_QUEUE_BYTES_MAX,
  SWIFT_INLET_BYTES_MAX,
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

/** What all queues of a daemon hold together. */
export class Ledger {
  total = 0;
  readonly inlets = new Account();
}

/** One for each next hop. */
export class HopQueue {
  readonly #ledger: Ledger;
  /** By priority. */
  readonly #lanes = [
    new Lane(INLET_QUEUE_BYTES_MAX),
    new Lane(SWIFT_INLET_BYTES_MAX),
    new Lane(SWIFT_INLET_BYTES_MAX),
  ] as const;
  /** By neighbour and source: nobody fills the share of others by naming them. */
  readonly #sources = new Account();

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
    const { inlet } = waiting;
    const cost = costOf(waiting);
    const { priority } = waiting.packet;
    const lane = this.#lanes[priority];
    const laneMax = priority === PRIORITY.bulk ? HOP_QUEUE_BYTES_MAX : SWIFT_QUEUE_BYTES_MAX;
    if (lane.bytes + cost > laneMax) return "queue is full";
    if (this.#sources.of(sourceOf(waiting)) + cost > SOURCE_QUEUE_BYTES_MAX) {
      return "source's share is full";
    }
    if (this.#ledger.total + cost > TRANSIT_BYTES_MAX) return "daemon is full";
    if (this.#ledger.inlets.of(inlet) + cost > INLET_BYTES_MAX) {
      return "neighbour has too much here";
    }
    const full = lane.push(waiting, cost);
    if (full === undefined) this.#count(waiting, cost);
    return full;
  }

  /** The next one of that priority. */
  shift(priority: Priority): Waiting | undefined {
    const waiting = this.#lanes[priority].shift();
    if (waiting !== undefined) this.#count(waiting, -costOf(waiting));
    return waiting;
  }

  #count(waiting: Waiting, cost: number): void {
    this.#sources.add(sourceOf(waiting), cost);
    this.#ledger.total += cost;
    this.#ledger.inlets.add(waiting.inlet, cost);
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
  readonly #inletBytesMax: number;
  #flowCount = 0;

  constructor(inletBytesMax: number) {
    this.#inletBytesMax = inletBytesMax;
  }

  /** Undefined when it waits now; else what is full. */
  push(waiting: Waiting, cost: number): string | undefined {
    const known = this.#inlets.get(waiting.inlet);
    const inlet: Inlet = known ??
      { key: waiting.inlet, bytes: 0, flows: new Map(), ring: [] };
    if (inlet.bytes + cost > this.#inletBytesMax) return "neighbour's share is full";
    const present = inlet.flows.get(waiting.flow);
    if (present === undefined) {
      if (this.#flowCount >= FLOWS_MAX) return "too many streams wait";
      if (inlet.flows.size >= INLET_FLOWS_MAX) return "too many streams of the neighbour wait";
    }
    const flow: Flow = present ?? { key: waiting.flow, bytes: 0, packets: [] };
    if (flow.bytes + cost > FLOW_QUEUE_BYTES_MAX) return "stream's share is full";
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
    inlet.bytes += cost;
    flow.bytes += cost;
    this.bytes += cost;
    this.packets++;
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
    const cost = costOf(waiting);
    inlet.bytes -= cost;
    flow.bytes -= cost;
    this.bytes -= cost;
    this.packets--;
    return waiting;
  }
}

function sourceOf({ inlet, source }: Waiting): string {
  return `${inlet} ${source}`;
}

function costOf({ packet }: Waiting): number {
  return QUEUED_PACKET_BYTES + packet.bytes.length;
}
