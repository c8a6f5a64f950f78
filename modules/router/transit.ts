/**
 * What becomes of a packet at a node: it is for us, or it goes on to the next hop of its path, or it
 * goes back as refused. The reader of a link ends here and never waits: a packet waits in the bounded
 * queue of its next hop, or there is no room and its source is told. Nothing is dropped in silence
 * but refusals that nobody can take; those are counted.
 */

import {
  CallError,
  type Clock,
  errorText,
  fromHex,
  type Link,
  type Links,
  type NodePeer,
  PRIORITY,
  ProtocolError,
  RateLimit,
} from "../../core/mod.ts";
import { Ledger, type Waiting } from "./hop_queue.ts";
import {
  ECHOES_PER_SECOND_MAX,
  HOP_REPORT_BYTES,
  INLETS_MAX,
  REFUSALS_PER_SECOND_MAX,
} from "./limits.ts";
import { NextHop, type Taken, TAKEN_VERB, writeTaken } from "./next_hop.ts";
import {
  nodeAt,
  type Packet,
  PACKET_KIND,
  pathOf,
  placeOf,
  readPacket,
  readRefusal,
  REFUSAL,
  type Refusal,
  stampEcho,
  streamOf,
  writeEchoReply,
  writeRefusal,
} from "./packet.ts";
import type { OnDemandPool } from "./pool.ts";

/** Neighbour of our own packets. */
const OURSELVES = "";
const MICROSECONDS = 1_000;
/** Enough to tell those apart whose streams have one id by chance. */
const FLOW_SOURCE_CHARACTERS = 16;

/** Why a packet did not arrive. */
export interface RefusedPacket {
  /** Of the stream or echo that it belongs to. */
  readonly stream: string;
  /** Key id of who says so, and of the hop that it could not take. */
  readonly by: string;
  readonly hop: string;
  /** The way that it came, from who says so to us; what is not the reverse of ours is no news. */
  readonly path: readonly string[];
  readonly why: Refusal;
  readonly text: string;
}

export interface TransitOptions {
  readonly clock: Clock;
  /** Our key id. */
  readonly self: string;
  readonly links: Pick<Links, "get">;
  readonly pool: Pick<OnDemandPool, "get" | "dial" | "used">;
  /** Data for us; `from` is the source that it names. */
  readonly onData: (packet: Packet, from: string) => void;
  readonly onRefused: (refused: RefusedPacket) => void;
  readonly onEchoReply: (reply: Packet) => void;
}

/** Counts since the start. */
export interface TransitCounts {
  sent: number;
  forwarded: number;
  received: number;
  bytesForwarded: number;
  echoed: number;
  refused: number;
  malformed: number;
  dropped: number;
}

/** What is remembered of a neighbour. */
interface Inlet {
  /** By priority: bytes that came and were not reported yet. */
  readonly taken: number[];
  readonly refusals: RateLimit;
  readonly echoes: RateLimit;
}

export class Transit {
  readonly counts: TransitCounts = {
    sent: 0,
    forwarded: 0,
    received: 0,
    bytesForwarded: 0,
    echoed: 0,
    refused: 0,
    malformed: 0,
    dropped: 0,
  };
  readonly #options: TransitOptions;
  readonly #self: Uint8Array;
  readonly #ledger = new Ledger();
  readonly #hops = new Map<string, NextHop>();
  readonly #inlets = new Map<string, Inlet>();

  constructor(options: TransitOptions) {
    this.#options = options;
    this.#self = fromHex(options.self);
  }

  /** What waits here now. */
  get waiting(): { readonly packets: number; readonly bytes: number } {
    let packets = 0;
    for (const hop of this.#hops.values()) packets += hop.packets;
    return { packets, bytes: this.#ledger.total };
  }

  /** A neighbour's packet. Throws ProtocolError for what no honest router sends. */
  receive(bytes: Uint8Array, peer: NodePeer): void {
    const { keyId } = peer.identity;
    let packet: Packet;
    let place: number;
    try {
      packet = readPacket(bytes);
      place = this.#placeIn(packet, peer);
    } catch (error) {
      this.counts.malformed++;
      throw error;
    }
    if (peer.onDemand) this.#options.pool.used(keyId, false);
    this.#report(packet, peer);
    if (place === packet.hops) return this.#deliver(packet, keyId);
    if (packet.kind >= PACKET_KIND.echo) this.#stamp(packet, place);
    const waiting = waitingOf(packet, place, keyId);
    const problem = this.#push(waiting);
    if (problem !== undefined) return this.#refuse(waiting, problem);
    this.counts.forwarded++;
    this.counts.bytesForwarded += bytes.length;
  }

  /** A neighbour has taken so much of what we sent to it. */
  taken(taken: Taken, keyId: string): void {
    this.#hops.get(keyId)?.taken(taken);
  }

  /** Our own packet. What is wrong is told to `onRefused`, now or later. */
  send(packet: Packet, onTaken?: () => void): void {
    const waiting = waitingOf(packet, 0, OURSELVES, onTaken);
    const problem = this.#push(waiting);
    if (problem === undefined) this.counts.sent++;
    else {
      onTaken?.();
      this.#refuse(waiting, problem);
    }
  }

  /** The neighbour learns now and then how much of it is here, whatever becomes of it. */
  #report({ priority, bytes }: Packet, { identity: { keyId }, onDemand }: NodePeer): void {
    if (priority === PRIORITY.control) return;
    const taken = this.#inletOf(keyId).taken;
    const sum = (taken[priority] ?? 0) + bytes.length;
    taken[priority] = sum < HOP_REPORT_BYTES ? sum : 0;
    if (sum < HOP_REPORT_BYTES) return;
    const { links, pool } = this.#options;
    const link = onDemand ? pool.get(keyId) : links.get(keyId);
    const report = writeTaken({ priority, bytes: sum });
    link?.tell(TAKEN_VERB, report, PRIORITY.control).catch(() => {
      // It is gone, and with it who waits for the report.
    });
  }

  /** Where we are in its path, after whoever brought it. */
  #placeIn(packet: Packet, peer: NodePeer): number {
    const place = placeOf(packet, this.#self);
    if (place < 1 || nodeAt(packet, place - 1) !== peer.identity.keyId) {
      throw new ProtocolError(`Packet from "${peer.identity.name}" has a path that is not its own`);
    }
    const isLink = !peer.onDemand && this.#options.links.get(peer.identity.keyId) !== undefined;
    if (packet.class === "low" && !isLink) {
      throw new ProtocolError(`Packet from "${peer.identity.name}" must come by a standing link`);
    }
    return place;
  }

  #deliver(packet: Packet, from: string): void {
    this.counts.received++;
    if (packet.kind === PACKET_KIND.data) this.#options.onData(packet, nodeAt(packet, 0));
    else if (packet.kind === PACKET_KIND.refused) {
      this.#options.onRefused({
        stream: streamOf(packet),
        path: pathOf(packet),
        ...readRefusal(packet),
      });
    } else if (packet.kind === PACKET_KIND.echo) this.#answer(packet, from);
    else this.#options.onEchoReply(packet);
  }

  #answer(echo: Packet, from: string): void {
    if (!this.#inletOf(from).echoes.take()) {
      this.counts.dropped++;
      return;
    }
    this.#stamp(echo, echo.hops);
    const reply = readPacket(writeEchoReply(echo));
    if (this.#push(waitingOf(reply, 0, from)) === undefined) this.counts.echoed++;
    else this.counts.dropped++;
  }

  #stamp(packet: Packet, place: number): void {
    stampEcho(packet, place, this.#options.clock.monotonic() * MICROSECONDS);
  }

  /** Undefined when it waits now. */
  #push(waiting: Waiting): Problem | undefined {
    const next = nodeAt(waiting.packet, waiting.place + 1);
    if (waiting.packet.class === "low" && this.#options.links.get(next) === undefined) {
      return { why: REFUSAL.unreachable, hop: next, text: "no link to the next hop" };
    }
    let hop = this.#hops.get(next);
    if (hop === undefined) this.#hops.set(next, hop = this.#open(next));
    const full = hop.push(waiting);
    return full === undefined ? undefined : { why: REFUSAL.busy, hop: next, text: full };
  }

  #open(next: string): NextHop {
    const hop: NextHop = new NextHop({
      clock: this.#options.clock,
      ledger: this.#ledger,
      reach: ({ packet }) => this.#reach(next, packet),
      onFailed: (waiting, error) => this.#refuse(waiting, problemOf(next, error)),
      onIdle: () => {
        const { links, pool } = this.#options;
        const stands = links.get(next) !== undefined || pool.get(next) !== undefined;
        if (!stands && this.#hops.get(next) === hop) this.#hops.delete(next);
      },
    });
    return hop;
  }

  #reach(next: string, packet: Packet): Link | Promise<Link> {
    const { links, pool } = this.#options;
    const link = links.get(next);
    if (link !== undefined) return link;
    if (packet.class === "low") throw new CallError("unreachable", "no link to the next hop");
    pool.used(next, true);
    return pool.get(next) ?? pool.dial(next);
  }

  /** Tells the source, which may be ourselves. Of refusals and replies nobody is told. */
  #refuse({ packet, place, inlet }: Waiting, problem: Problem): void {
    this.counts.refused++;
    if (inlet === OURSELVES) {
      const by = this.#options.self;
      return this.#options.onRefused({ stream: streamOf(packet), by, path: [by], ...problem });
    }
    const { kind } = packet;
    const isAnswered = kind === PACKET_KIND.data || kind === PACKET_KIND.echo;
    if (isAnswered && this.#inletOf(inlet).refusals.take()) {
      const refusal = readPacket(writeRefusal(packet, place, problem));
      if (this.#push(waitingOf(refusal, 0, inlet)) === undefined) return;
    }
    this.counts.dropped++;
  }

  #inletOf(keyId: string): Inlet {
    let inlet = this.#inlets.get(keyId);
    if (inlet === undefined) {
      const { clock } = this.#options;
      // Far more than there can be neighbours: who comes again later begins anew.
      if (this.#inlets.size >= INLETS_MAX) this.#inlets.clear();
      inlet = {
        taken: [0, 0, 0],
        refusals: new RateLimit(REFUSALS_PER_SECOND_MAX, clock),
        echoes: new RateLimit(ECHOES_PER_SECOND_MAX, clock),
      };
      this.#inlets.set(keyId, inlet);
    }
    return inlet;
  }
}

interface Problem {
  readonly why: Refusal;
  readonly hop: string;
  readonly text: string;
}

function waitingOf(
  packet: Packet,
  place: number,
  inlet: string,
  onTaken?: () => void,
): Waiting {
  const source = nodeAt(packet, 0);
  const flow = source.slice(0, FLOW_SOURCE_CHARACTERS) + streamOf(packet);
  return { packet, place, inlet, source, flow, ...(onTaken === undefined ? {} : { onTaken }) };
}

/** A hop that is merely full is there all the same. */
function problemOf(hop: string, error: unknown): Problem {
  const isBusy = error instanceof CallError && error.class === "busy";
  return { why: isBusy ? REFUSAL.busy : REFUSAL.unreachable, hop, text: errorText(error) };
}
