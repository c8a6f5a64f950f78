/**
 * The contract between who routes packets and who makes a reliable conduit of them, and what a
 * user's program and its daemon say to each other in `router.open`, whose stream carries the packets
 * of one carrier:
 *
 *   to the daemon      u8 what | packet     what: a priority, or reroute (no packet)
 *   from the daemon    u8 what | packet     what: packet, or route (one byte: whether there is one)
 */

import * as v from "valibot";
import { PRIORITY, type Priority, ProtocolError } from "../../core/mod.ts";

/** Largest packet in bytes: with its header it still fits one frame of a link. */
export const CARRIER_PACKET_BYTES_MAX = 60 * 1024;

/**
 * - `low`: along standing links, shortest path, never opens a connection.
 * - `high`: straight to the target where it can be dialled, else through gateways; connections are
 *   made on demand.
 *
 * One stream keeps one class.
 */
export const ROUTE_CLASSES = ["low", "high"] as const;
export type RouteClass = (typeof ROUTE_CLASSES)[number];

/** Moves packets to one other node and back. It may lose, double, reorder and alter them. */
export interface Carrier {
  /** Largest packet in bytes. */
  readonly packetBytesMax: number;
  /** Whether there is a path now. */
  readonly hasRoute: boolean;
  /** Resolves when it can carry nothing any more, with the reason. */
  readonly closed: Promise<string>;
  /**
   * Resolves when there is room for more; says nothing about arrival. Rejects once closed. Nobody may
   * change the packet afterwards.
   */
  send(packet: Uint8Array, priority: Priority): Promise<void>;
  /**
   * One receiver; called for each packet that arrives, synchronously with its arrival. The packet is
   * the receiver's to keep.
   */
  onPacket(run: (packet: Uint8Array) => void): void;
  /** Nothing was acknowledged for long: take another path from now on. */
  reroute(): void;
  /** Idempotent. */
  close(text: string): void;
}

const KeyId = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "Expected 64 hex digits"));

/** Arguments of `router.open`. */
export const OpenSchema = v.strictObject({ target: KeyId, class: v.picklist(ROUTE_CLASSES) });
export type OpenArgs = v.InferOutput<typeof OpenSchema>;

/** Its reply, when the daemon ends it: why. */
export const OpenReplySchema = v.strictObject({ text: v.string() });

const REROUTE = PRIORITY.control + 1;
const PACKET = 0;
const ROUTE = 1;

/** What a program tells its daemon. */
export type ToDaemon =
  | { readonly packet: Uint8Array; readonly priority: Priority }
  | { readonly packet?: never; readonly reroute: true };

/** What a daemon tells a program. */
export type FromDaemon =
  | { readonly packet: Uint8Array }
  | { readonly packet?: never; readonly hasRoute: boolean };

/** Item of a program, with a packet to be carried. */
export function packetToDaemon(packet: Uint8Array, priority: Priority): Uint8Array<ArrayBuffer> {
  const item = new Uint8Array(1 + packet.length);
  item[0] = priority;
  item.set(packet, 1);
  return item;
}

/** Item of a program that wants another path. */
export function rerouteToDaemon(): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(REROUTE);
}

/** Throws ProtocolError. The packet is a view of the item. */
export function readToDaemon(item: unknown): ToDaemon {
  const [what, packet] = split(item);
  if (what <= PRIORITY.control) return { packet, priority: what as Priority };
  if (what === REROUTE && packet.length === 0) return { reroute: true };
  throw new ProtocolError(`Item for the router begins with ${what}`);
}

/** Item of a daemon, with a packet that arrived. */
export function packetFromDaemon(packet: Uint8Array): Uint8Array<ArrayBuffer> {
  const item = new Uint8Array(1 + packet.length);
  item[0] = PACKET;
  item.set(packet, 1);
  return item;
}

/** Item of a daemon that has found or lost the way. */
export function routeFromDaemon(hasRoute: boolean): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(ROUTE, hasRoute ? 1 : 0);
}

/** Throws ProtocolError. The packet is a view of the item. */
export function readFromDaemon(item: unknown): FromDaemon {
  const [what, packet] = split(item);
  if (what === PACKET) return { packet };
  if (what === ROUTE && packet.length === 1 && (packet[0] as number) <= 1) {
    return { hasRoute: packet[0] === 1 };
  }
  throw new ProtocolError(`Item of the router begins with ${what}`);
}

function split(item: unknown): [what: number, packet: Uint8Array] {
  if (!(item instanceof Uint8Array) || item.length === 0) {
    throw new ProtocolError("Item of a carrier is not bytes");
  }
  const packet = item.subarray(1);
  if (packet.length > CARRIER_PACKET_BYTES_MAX) {
    throw new ProtocolError(`Packet of ${packet.length} bytes is over the limit`);
  }
  return [item[0] as number, packet];
}
