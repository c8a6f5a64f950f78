/** Every number that bounds something in the router, with its unit and its reason. */

/** Longest path in hops: far more than any sensible mesh needs, so a longer one is a mistake. */
export const HOPS_MAX = 16;
/** Reason text inside a refusal. */
export const REFUSAL_TEXT_BYTES_MAX = 200;

// Transit: what waits here for other nodes

/** What a waiting packet costs besides its bytes, so that empty ones cannot fill memory. */
export const QUEUED_PACKET_BYTES = 256;
/**
 * Waiting in bytes. Each priority has an account of its own at each bound, so that bulk never takes
 * the room of a ping, a report or a handshake, not even of those of its own source.
 */
export interface QueueShares {
  /** For one next hop, and of that from one neighbour, of one source, and of one stream. */
  readonly hop: number;
  readonly hopInlet: number;
  readonly hopSource: number;
  readonly hopFlow: number;
  /** For all next hops together, and of that from one neighbour. */
  readonly all: number;
  readonly inlet: number;
}
export const BULK_SHARES: QueueShares = {
  hop: 8 * 1024 * 1024,
  hopInlet: 6 * 1024 * 1024,
  hopSource: 4 * 1024 * 1024,
  hopFlow: 2 * 1024 * 1024,
  all: 48 * 1024 * 1024,
  inlet: 12 * 1024 * 1024,
};
/** Of normal and of control each: it is small and overtakes, and many neighbours have some to send. */
export const SWIFT_SHARES: QueueShares = {
  hop: 2 * 1024 * 1024,
  hopInlet: 512 * 1024,
  hopSource: 384 * 1024,
  hopFlow: 256 * 1024,
  all: 8 * 1024 * 1024,
  inlet: 2 * 1024 * 1024,
};
/** Flows with something waiting, for one hop, and of that from one neighbour. */
export const FLOWS_MAX = 4_096;
export const INLET_FLOWS_MAX = FLOWS_MAX / 8;
/**
 * Handed to the conduit of one hop and not yet taken there: what nobody can overtake any more, and
 * what a daemon works off in one go before it sees what else has come. Three packets keep a hop busy.
 */
export const HOP_WINDOW_BYTES_MIN = 128 * 1024;
/** On long ways: 200 MB/s over 20 ms. */
export const HOP_WINDOW_BYTES_MAX = 4 * 1024 * 1024;
export const HOP_BYTES_PER_MS = 200_000;
/** A hop reports what it has taken in pieces of this size, well within the window. */
export const HOP_REPORT_BYTES = HOP_WINDOW_BYTES_MIN / 2;
/** With a full window and no report for so long, what is under way was lost. */
export const HOP_STALL_MS = 2_000;
/** Refusals that one neighbour may cause; above that its packets are dropped, and counted. */
export const REFUSALS_PER_SECOND_MAX = 5_000;
/** Neighbours whose rates are remembered. */
export const INLETS_MAX = 8_192;

// Streams of our own

/** What one carrier may have waiting for its first hop, counted as the queue of that counts it. */
export const CARRIER_WAITING_BYTES_MAX = 128 * 1024;
/** Carriers at once: opened by modules and users here, and accepted from others. */
export const CARRIERS_MAX = 4_096;
export const ACCEPTED_CARRIERS_MAX = 1_024;
/** Of the accepted: brought by one neighbour, and of that in the name of one source. */
export const ACCEPTED_PER_NEIGHBOUR_MAX = 512;
export const ACCEPTED_PER_SOURCE_MAX = 128;
/** `router.open` streams of one user. */
export const OPEN_PER_USER_MAX = 32;
/** Bulk of a program that waits for its carrier; above that its stream is not read. */
export const OPEN_BACKLOG_BYTES_MAX = 1024 * 1024;
/** What is not bulk, and waits likewise; above that it is dropped, since it is small and rare. */
export const OPEN_SWIFT_BYTES_MAX = 512 * 1024;
/** How often a program is told whether there is a path, if that changes. */
export const OPEN_ROUTE_MS = 200;
/** Packets for a program that does not read them; the newest are dropped. */
export const UNREAD_BYTES_MAX = 4 * 1024 * 1024;
/** After "busy" a carrier holds its bulk back, doubling up to the maximum. */
export const BUSY_PAUSE_MS_MIN = 20;
export const BUSY_PAUSE_MS_MAX = 1_000;

// Paths

/** A hop that failed is not tried again so soon. */
export const TROUBLE_MS = 3_000;
/** While a carrier has no path it looks for one so often, when asked. */
export const REPLAN_MS = 100;
/**
 * All paths of a stream were refused, twice in a row: none is tried again so soon, with jitter, doubling
 * up to the maximum. Longer would tell on a path that works again.
 */
export const REFUSED_PAUSE_MS_MIN = 100;
export const REFUSED_PAUSE_MS_MAX = 1_000;
/**
 * The word that a node was started again may be so late: its neighbours let it in when they have given
 * up its former life, after 4.5 s of silence, and it dials them again with some backoff.
 */
export const NEWS_MS_MAX = 10_000;
/** Hops that are remembered as failed. */
export const TROUBLES_MAX = 4_096;

// Conduits on demand

/** One dial, over all endpoints of the node. */
export const ON_DEMAND_DIAL_MS_MAX = 4_000;
/** Those that we dialled, at once; the longest idle goes first. */
export const ON_DEMAND_MAX = 128;
/** Dials under way at once. */
export const ON_DEMAND_DIALS_MAX = 32;
/** Without a packet for so long it is closed. */
export const ON_DEMAND_IDLE_MS = 60_000;
/** How long the other end may take to answer whether it is there. */
export const ON_DEMAND_PING_MS = 4_000;
/** How often idle and silent ones are looked for. */
export const ON_DEMAND_LOOK_MS = 2_000;

// Echoes

/** Echoes under way at once from this daemon. */
export const ECHOES_MAX = 1_024;
export const ECHO_MS_DEFAULT = 2_000;
export const ECHO_MS_MAX = 60_000;
/** Echoes for us that one neighbour may bring. */
export const ECHOES_PER_SECOND_MAX = 1_000;

// Stopping

/** For all routed conduits together to say goodbye: a module has 3 s to stop. */
export const GOODBYE_MS_MAX = 2_000;
