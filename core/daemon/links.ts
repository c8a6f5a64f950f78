/**
 * Links: the standing conduits between this daemon and others, one per peer key. The core keeps
 * the table and the rule for duplicates; which links there should be, the mesh module decides. A
 * second table of the same kind holds what was dialled on demand, for some messages: its entries are
 * no links of the mesh, nobody is told of them, and who dialled one closes it when it is idle.
 */

import type { CloseReason, DialOptions, Peer } from "../conduit/conduit.ts";
import type { Priority } from "../wire/message.ts";
import type { Caller } from "./call.ts";

export type NodePeer = Extract<Peer, { kind: "node" }>;

/** Who can also be told something without being asked anything. */
export interface Teller extends Caller {
  /**
   * An event: no answer is expected. Resolves when there is room for more; rejects when the conduit is
   * closed, or too much is queued ("busy").
   *
   * @default PRIORITY.control
   */
  tell(verb: string, args: unknown, priority?: Priority): Promise<void>;
}

/** The conduit for bulk that a link has now. */
export interface BulkHalf extends Teller {
  /** Resolves when it is over, which the link may outlive; what was under way on it is lost. */
  readonly done: Promise<CloseReason>;
}

export interface Link extends Teller {
  readonly peer: NodePeer;
  /** True when this end dialled. */
  readonly dialled: boolean;
  /** The endpoint dialled, or the remote address of an accepted link. */
  readonly endpoint: string;
  /** Wall clock, unix ms. */
  readonly since: number;
  /** Monotonic ms: when the last message of the peer arrived, or the conduit was made. */
  readonly heardAt: number;
  /**
   * Unix ms: what the peer's wall clock shows now, as far as we know. Late by the way of the word that
   * told it; jumps of our own clock do not matter.
   */
  readonly peerNow: number;
  /** The peer has just said what its wall clock shows, in Unix ms. */
  hearClock(unixMs: number): void;
  /** Requests of either end that have no answer yet. */
  readonly underWay: number;
  readonly closed: Promise<CloseReason>;
  /**
   * The second conduit to the same peer, for bulk: what waits in the kernel's send buffer cannot be
   * overtaken, so control and bulk do not share one. Opened at first use, by whichever end can dial.
   */
  bulk(): Promise<BulkHalf>;
  close(text: string): Promise<void>;
}

export type LinkChange =
  | { readonly kind: "up"; readonly link: Link }
  | { readonly kind: "down"; readonly link: Link; readonly reason: CloseReason };

export interface Links {
  /** By key id (hex). */
  get(keyId: string): Link | undefined;
  list(): readonly Link[];
  /**
   * Dials a node and proves who is there. If both ends dialled at once, the conduit dialled by
   * the smaller key id stays, and the survivor is what both get.
   */
  dial(endpoint: string, options?: DialOptions): Promise<Link>;
  /** Called synchronously at each change, in order. */
  watch(run: (change: LinkChange) => void): Disposable;
}
