/** Every number that bounds something in network boot, with its unit in the name and its reason. */

import { CLOCK_SKEW_MS_MAX } from "../../core/mod.ts";

/** What a host said on stderr: enough for the longest complaint of ssh, which is about host keys. */
export const STDERR_BYTES_MAX = 16 * 1024;
/** A host that pours text into our stdout instead of answering. */
export const NOISE_LINES_MAX = 10_000;
/** A line of the script or the daemon; the longest is a certificate request. */
export const ANSWER_BYTES_MAX = 64 * 1024;
/** After ssh ended somebody else (a proxy command) may still hold its pipes. */
export const PIPES_MS_MAX = 500;

/** ssh asks a silent host this often whether it lives, and gives up after as many unanswered. */
export const ALIVE_SECONDS = 5;
export const ALIVE_COUNT_MAX = 3;

/** Tries from one gateway at once: its sshd drops who comes when ten are not logged in yet. */
export const TRIES_AT_ONCE = 4;
/** How long the line through a gateway may take to end when nobody needs it any more. */
export const LINE_END_MS_MAX = 1_000;

/** Certificates carry times: with clocks further apart they would not verify (SECURITY.md 3). */
export const CLOCK_OFFSET_MS_MAX = CLOCK_SKEW_MS_MAX;
/** The oldest C library on which the runtime starts. */
export const GLIBC_OLDEST = [2, 27] as const;

/** One copy of the binary to one host, however slow the line. */
export const COPY_MS_MAX = 15 * 60_000;
/** A copy that makes no progress. */
export const COPY_STALL_MS_MAX = 30_000;
/** Bytes handed to ssh at once. */
export const COPY_CHUNK_BYTES = 256 * 1024;
/** Room on a host's disk beyond the file itself: socket, log, audit. */
export const DISK_MARGIN_BYTES = 4 * 1024 * 1024;
/** Copies that the origin sends at once: more share the same line, and come later to serve others. */
export const ORIGIN_COPIES_AT_ONCE = 2;
/** Copies that the origin sends in all, except where no node can serve. */
export const ORIGIN_COPIES_MAX = 3;
/** Copies that one node serves at once. */
export const NODE_COPIES_AT_ONCE = 2;
/** A node that failed to serve so often is not asked again. */
export const NODE_FAILURES_MAX = 2;
/** How long a node may take to open its port. */
export const SERVE_CALL_MS_MAX = 5_000;
/** How long a host tries to reach the port of a node. */
export const GET_CONNECT_SECONDS = 5;

/** 128 bits: nobody guesses one. */
export const TICKET_BYTES = 16;
/** Tickets that a node keeps at once. */
export const TICKETS_MAX = 64;
/** A host told of a ticket fetches at once. */
export const TICKET_REDEEMED_SECONDS = 60;
/** A ticket not redeemed by then is void. */
export const TICKET_SECONDS_MAX = 600;
/** Connections to the temporary port at once, redeemed or not. */
export const OFFER_CONNECTIONS_MAX = 16;
/** Who connects must show a ticket soon. */
export const OFFER_TICKET_MS_MAX = 2_000;
/** Somebody who guesses tickets: the port closes, and who still waits gets the file elsewhere. */
export const OFFER_STRANGERS_MAX = 256;
/** The compressed file is kept for others so long after the start or the last copy. */
export const PACKED_KEPT_MS = 5 * 60_000;

/** How long the launcher may take to end after the daemon is up. */
export const GOODBYE_MS_MAX = 2_000;
/** Of one node: whoever enrols says them, and all others are told. */
export const ENDPOINTS_MAX = 16;
/** Nodes that a new one is told of; their adverts bring the rest. */
export const PEERS_MAX = 32;
/** How long boot looks for a mesh that lives already. */
export const LOOK_MS_MAX = 3_000;
/** How long grow waits for the mesh that it needs. */
export const GROW_MS_MAX = 10_000;
/** How long nodes that the mesh sees up may take to say so themselves; only a frozen one takes longer. */
export const ASK_MS_MAX = 2_000;
/** How long the mesh may take to see a node that is up. */
export const LINK_MS_MAX = 15_000;
/** How often it is asked meanwhile. */
export const LINK_POLL_MS = 100;

/** Recon asks a port from outside: who neither answers nor refuses by then is behind a firewall. */
export const FIREWALL_MS_MAX = 3_000;
/** Wipe: a process that was killed is gone at once, unless the kernel itself is stuck. */
export const WIPE_KILL_SECONDS = 5;
