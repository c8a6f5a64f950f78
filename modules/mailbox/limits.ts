/** Every number that bounds something in mailboxes, with its unit in the name and its reason beside it. */

/** One message, which is kept in memory as a whole; larger things are files or connections. */
export const LETTER_BYTES_MAX = 16 * 1024 * 1024;
/** What every message costs besides its bytes, so that empty ones count too. */
export const LETTER_WEIGHT_BYTES = 256;
/** Unread under one tag: two of the largest messages. */
export const TAG_BYTES_MAX = 2 * (LETTER_BYTES_MAX + LETTER_WEIGHT_BYTES);
export const TAG_LETTERS_MAX = 1_024;
/** Unread in one daemon, all tags together: what a small host can spare. */
export const NODE_BYTES_MAX = 4 * (LETTER_BYTES_MAX + LETTER_WEIGHT_BYTES);
export const NODE_LETTERS_MAX = 4_096;
/**
 * A sender that has something unread gets more room while it has at most so many times what it leaves
 * free: alone two thirds, so that also the largest message is not the last one.
 */
export const SENDER_SHARE = 2;
/** One signed request carries so much of a message: a few milliseconds of a link's time. */
export const PART_BYTES_MAX = 512 * 1024;
/** The next part of a message must come within this, or what came is forgotten. */
export const PART_MS_MAX = 30_000;
/** How long one request may wait for room; a sender that waits longer asks again. */
export const ROOM_MS_MAX = 20_000;
/** Between two requests for room, when the mailbox takes no more who wait. */
export const ROOM_RETRY_MS = 1_000;
/** Beyond that, for the way there and back. */
export const PUT_MS_MAX = 10_000;
/** Requests that wait for room, each with the first part of its message. */
export const WAITERS_MAX = 64;
/** Of these from one sender: others want to wait, too. */
export const SENDER_WAITERS_MAX = WAITERS_MAX / 2;
/** Readers that wait, each with an open call: several for each processor of a large host. */
export const READERS_MAX = 1_024;
/** Messages on their way out from programs of this host, all together, in bytes. */
export const OUTBOX_BYTES_MAX = 64 * 1024 * 1024;
/** How a message is cut on its way to its reader. */
export const CHUNK_BYTES_MAX = 256 * 1024;
