/**
 * Every number that bounds something in the core, with its unit in the name and its reason beside
 * it. Modules have a limits.ts of their own.
 */

// Frames and parts on the wire

/** Noise's own limit: u16 length with the tag inside (Noise spec 3). */
export const FRAME_BYTES_MAX = 65_535;
/** ChaCha20-Poly1305 tag. */
export const TAG_BYTES = 16;
/** A peer that starts a frame must finish it. */
export const PARTIAL_FRAME_MS_MAX = 10_000;
/** A shorter message, or rest of one, is never cut. */
export const CUT_BYTES_MIN = 4 * 1024;
/** A key is changed long before its nonce could run out (SECURITY.md 2). */
export const REKEY_FRAMES = 65_536;
export const REKEY_MS = 10 * 60 * 1_000;
/** Reason given in a goodbye. */
export const GOODBYE_BYTES_MAX = 512;

// Messages

/** One message. Larger things are streams. */
export const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
/** Nesting of maps and arrays in a body. */
export const BODY_DEPTH_MAX = 32;
/** What every message costs besides its body in the account of credit: empty items cannot flood. */
export const MESSAGE_WEIGHT_MIN = 16;
/** What a message on an internal conduit counts for, besides raw bytes in its body. */
export const INTERNAL_MESSAGE_WEIGHT = 64;
/** Maps, arrays and bytes that are looked at to find those: streams of bytes have few around them. */
export const INTERNAL_WEIGHED_VALUES_MAX = 1_024;
/** Reserved for messages that come in several frames, per conduit. */
export const REASSEMBLY_BYTES_MAX = 16 * 1024 * 1024;
/** What a message that is not complete yet costs besides its body, at the end that joins it. */
export const UNFINISHED_MESSAGE_BYTES = 256;

// Queues and buffers of a conduit

/** Above this many queued bytes, send waits. */
export const QUEUE_BYTES_HIGH = 1024 * 1024;
/** Above this, which only those reach who do not wait, new requests are refused. */
export const QUEUE_BYTES_MAX = 8 * 1024 * 1024;
/** Answers are queued above that too, since each was asked for; who takes none is cut. */
export const QUEUE_BYTES_CUT = 64 * 1024 * 1024;
/** What a waiting message costs besides its body, so that empty ones cannot fill memory. */
export const QUEUED_MESSAGE_BYTES = 256;
/** Messages waiting in an internal conduit; they are references, not copies. */
export const INTERNAL_QUEUE_MESSAGES_MAX = 256;
/** One write to the kernel, of four full frames; more gains nothing and delays what has priority. */
export const WRITE_BATCH_BYTES = 4 * (FRAME_BYTES_MAX + 2);
/** Read buffer of a quiet conduit, and of a busy one. */
export const READ_BUFFER_BYTES_MIN = 4 * 1024;
export const READ_BUFFER_BYTES_MAX = 256 * 1024;
/** How long an orderly close may take to send what was queued. */
export const CLOSE_MS_MAX = 2_000;

// Who connects

/** After a failed accept (out of file descriptors): long enough not to spin. */
export const ACCEPT_RETRY_MS = 100;
/** Before authentication: connections in all, and from one source address (SECURITY.md 2). */
export const UNAUTHENTICATED_CONNECTIONS_MAX = 256;
export const UNAUTHENTICATED_PER_SOURCE_MAX = 32;
/** A slow-loris must give up its place soon. */
export const FIRST_BYTES_MS_MAX = 2_000;
export const HANDSHAKE_MS_MAX = 5_000;
/** Largest handshake message: two certificates of 2 KiB fit. */
export const HANDSHAKE_BYTES_MAX = 4_096;
/** How often living conduits are asked whether their certificates have expired. */
export const VALIDITY_CHECK_MS = 30_000;

// Calls, streams, links

/** How long a caller waits for a daemon elsewhere, unless it says otherwise. */
export const CALL_MS_DEFAULT = 30_000;
/** Unread items of one direction of one stream, in bytes; half of it read gives new credit. */
export const STREAM_CREDIT_BYTES = 1024 * 1024;
/** Concurrent streams and requests per second of one user. Links carry other people's. */
export const USER_STREAMS_MAX = 64;
export const USER_REQUESTS_PER_SECOND_MAX = 50;
/** Programs of one user that are connected to one daemon at once. */
export const USER_CONDUITS_MAX = 64;
/** Who joins with one token, or wants to be revived: so many at once. They ask as soon as they are there. */
export const JOINER_CONDUITS_MAX = 64;
export const JOINER_SILENT_MS_MAX = 10_000;
/** They ask one question, for which they wait 20 s. */
export const JOINER_MS_MAX = 60_000;
/** To dial a registrar: one that swallows what is sent would hold up a newcomer as long as the kernel tries. */
export const JOIN_DIAL_MS_MAX = 20_000;
/** Requests that one link may have under way in each direction. */
export const LINK_STREAMS_MAX = 16_384;
/** Conduits of one link: its carrier, its bulk half, and what comes while both are exchanged. */
export const LINK_CONDUITS_MAX = 16;
/** Peers to whom there is a conduit on demand at once, dialled by them or by us. */
export const ON_DEMAND_PEERS_MAX = 1_024;
/** How long the conduit that lost against another one of the same link may finish its calls. */
export const LINK_DRAIN_MS = 2_000;
/** Verbs in one request, signed or brought by a module. */
export const STEPS_MAX = 64;
/** Names beside a request whose targets are listed: more than the largest mesh has. */
export const LISTED_NAMES_MAX = 100_000;
/** What a peer's wrong arguments may add to the text of a refusal. */
export const COMPLAINT_CHARACTERS_MAX = 500;
/** Orderly shutdown: running requests get this long to finish, each module this long to stop. */
export const SHUTDOWN_DRAIN_MS_MAX = 5_000;
export const MODULE_STOP_MS_MAX = 3_000;

// Identities and signed documents

/** Names of nodes, users, groups, modules, verbs and meshes. */
export const NAME_CHARACTERS_MAX = 63;
/** Clocks that differ more make certificates unreliable; also the default of `clock_skew`. */
export const CLOCK_SKEW_MS_MAX = 30_000;
/** Sizes of fixed fields in signed documents (SECURITY.md 4). */
export const MESH_ID_BYTES = 16;
export const KEY_ID_BYTES = 32;
export const PSK_BYTES = 32;
/** Random, so that ids of different users never meet by chance. */
export const REQUEST_ID_BYTES = 16;
/** Largest certificate, in bytes (SECURITY.md 4). */
export const CERTIFICATE_BYTES_MAX = 2_048;
/** Certificates whose signature a verifier remembers, about 1 KiB each: a mesh's own, and some. */
export const VERIFIED_CERTIFICATES_MAX = 4_096;
/** Revoked keys of one mesh: 40 bytes each, so that a list stays below half a megabyte. */
export const REVOCATIONS_MAX = 10_000;

/** A signed policy: thousands of rules; every node keeps and passes on one. */
export const POLICY_BYTES_MAX = 256 * 1024;
/** Rules of a policy, and items of each of their lists. */
export const POLICY_ITEMS_MAX = 1_024;
export const POLICY_TEXT_CHARACTERS_MAX = 1_024;
/** What a policy may set: shorter than a second fails on a busy network, longer fills journals. */
export const POLICY_REQUEST_TTL_MS_MIN = 1_000;
export const POLICY_REQUEST_TTL_MS_MAX = 3_600_000;
export const POLICY_CLOCK_SKEW_MS_MAX = 600_000;

/** Replay journal: 50 requests/s of one user for 60 s and 30 s of skew, and some. */
export const JOURNAL_REQUESTS_PER_KEY_MAX = 8_192;
/** A copy comes when a relay died: most replies are small, and larger ones can be asked for anew. */
export const JOURNAL_REPLY_BYTES_MAX = 64 * 1024;
export const JOURNAL_REPLY_BYTES_PER_KEY_MAX = 4 * 1024 * 1024;
/** Records in the journal's file before it is written anew: less than 2 MiB. */
export const JOURNAL_FILE_RECORDS_MAX = 32_768;
/** How often what expired is forgotten, when no full quota asks for it earlier. */
export const JOURNAL_SWEEP_MS = 10_000;

/** Audit log: 8 files of 8 MiB hold about 150,000 decisions. */
export const AUDIT_FILE_BYTES_MAX = 8 * 1024 * 1024;
export const AUDIT_FILES_MAX = 8;
export const AUDIT_TEXT_CHARACTERS_MAX = 512;
/** Values, and maps and arrays among them, in one body: a byte of it may stand for a whole object. */
export const BODY_VALUES_MAX = 1_048_576;
export const BODY_CONTAINERS_MAX = 262_144;
/** Lines about what strangers and their requests did wrong; a log holds some ten thousands. */
export const LIMITED_LINES_PER_SECOND_MAX = 5;
/** Requests under way on one conduit with their bodies, and what they have not read of their input. */
export const INCOMING_BYTES_MAX = 64 * 1024 * 1024;
/** What is read of a datagram: an Ethernet frame holds less. */
export const DATAGRAM_BYTES_MAX = 1_500;
/** Networks of one multicast socket: Linux lets it join 20 groups unless told otherwise. */
export const MULTICAST_NETWORKS_MAX = 16;
