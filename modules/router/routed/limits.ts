/** Every number that bounds something in a routed conduit, with its unit and its reason. */

// The window

/**
 * Bytes that were sealed and not acknowledged, and bytes that were received and not read. Covers
 * 800 MB/s at a round trip of 10 ms, which is what a few loaded relays take.
 */
export const WINDOW_BYTES_MAX = 8 * 1024 * 1024;
/** Packets of them, so that small ones cannot fill memory. Fits the 16 bits of a report. */
export const WINDOW_PACKETS_MAX = 4_096;
/** On the way at first: doubles with each round trip until something is lost. */
export const FLIGHT_BYTES_START = 512 * 1024;
/** On the way at least, in packets of full size, so that a report can tell what is missing. */
export const FLIGHT_PACKETS_MIN = 4;
/** Later packets that arrived before an earlier one counts as lost: paths reorder a little. */
export const REORDERED_PACKETS_MAX = 3;
/** A stream with more than this on the way is bulk, and lets others overtake it. */
export const SWIFT_BYTES_MAX = 64 * 1024;

// Reports

/** Received bytes or packets that are not reported yet; within a quarter of what may be on the way. */
export const REPORT_BYTES = 128 * 1024;
export const REPORT_PACKETS = 8;
/** What came alone is reported after this: the answer may take it along, and nobody waits for it. */
export const REPORT_MS = 10;
/** Holes that one report names; the rest is named when those are closed. */
export const REPORT_RANGES_MAX = 64;

// Time

/** First guess of the time until an acknowledgement, before one was measured (RFC 6298, 2.1). */
export const RESEND_MS_START = 500;
/** Below it a busy host looks like a loss; above it a path that works again waits too long. */
export const RESEND_MS_MIN = 200;
export const RESEND_MS_MAX = 1_000;
/** So often in a row nothing was acknowledged, and another path is taken. */
export const RESENDS_BEFORE_REROUTE = 2;
/** Nothing was acknowledged for so long, over any path: there is no route. */
export const ROUTE_MS_MAX = 30_000;
/** So often in a row we were asked, and take another path to answer. */
export const ASKS_BEFORE_REROUTE = 2;
/** Asked again within this time, we were not heard: our own way is the one that is bad. */
export const ASKED_MS_MAX = 5_000;
/** A frame that was begun may wait for a way, more than once. */
export const PARTIAL_MS_MAX = 4 * ROUTE_MS_MAX;
/** Nothing was heard for so long: asks whether the other end is there. */
export const PROBE_MS = 10_000;
/** As often somebody who may not send asks whether there is room now: the news may have been lost. */
export const ROOM_PROBE_MS = 1_000;
/** A new key at least so often, when something is sent. */
export const REKEY_MS = 10 * 60 * 1_000;
/** After a close: how long to repeat what the other end has not acknowledged. */
export const LINGER_MS_MAX = 3_000;

// Handshakes

/** Until the other end has answered, over any path. */
export const DIAL_MS_MAX = 10_000;
/** First pause before a packet of a handshake is sent again; doubles up to RESEND_MS_MAX. */
export const ASK_MS_START = 250;
/** An attempt that has come to nothing is begun anew: the other end may have forgotten it. */
export const ATTEMPT_MS_MAX = 4_000;
/** Handshakes that were begun here by others and are not done; the oldest gives way. */
export const HALF_OPEN_MAX = 256;
/** Of them by one stream: its own, and what others put on its way. */
export const HALF_OPEN_PER_STREAM_MAX = 4;
export const HALF_OPEN_MS_MAX = 5_000;
/** How often forgotten ones are looked for. */
export const HALF_OPEN_LOOK_MS = 1_000;
/** Answers to strangers: at most a tenth of one core. */
export const ANSWERS_PER_SECOND_MAX = 200;
/** Sources whose answers are counted apart, in one second; those beyond share one count. */
export const ANSWER_SOURCES_MAX = 1_024;
/** What may be an answer, tried by who asked: each costs curve operations. */
export const ANSWERS_TRIED_PER_SECOND_MAX = 50;
/** What may be the proof of one handshake: each costs some hashes. */
export const PROOFS_TRIED_PER_LOOK_MAX = 50;
/** Conduits that others made with us, and of them by one key: a few KiB each, and a timer. */
export const SESSIONS_MAX = 4_096;
export const SESSIONS_PER_PEER_MAX = 128;

// Programs that are no nodes

/** A carrier that ends with its connection is told from one that was refused within this time. */
export const ENTRY_DEATH_MS = 100;
/** Other paths were taken so often in a row and nothing came: another daemon is asked to carry. */
export const REROUTES_BEFORE_ENTRY = 3;
/** Where nothing comes another path is taken every two seconds; those farther apart were of use. */
export const REROUTES_APART_MS_MAX = 5_000;
/** Between two looks for a daemon that can be reached, for ROUTE_MS_MAX in all. */
export const ENTER_AGAIN_MS = 500;
