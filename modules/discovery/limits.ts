/** Every number that bounds something in looking around, with its unit and its reason. */

/** Multicast DNS (RFC 6762, 3). */
export const MDNS_GROUP = { host: "224.0.0.251", port: 5_353 } as const;
/** Names the mesh: 64 bits, so that no two meshes meet by chance. */
export const TAG_BYTES = 8;
/** How much of a key id names a node's records; 63 bytes are all that a label holds. */
export const LABEL_CHARACTERS = 32;

/**
 * Between two questions: half to the whole of this, doubled each time from the first to the last. A node
 * that lost its last link begins anew. A minute is soon enough to heal what no other way heals; one
 * that is alone may only wait for its network.
 */
export const ASK_MS_MIN = 1_000;
export const ASK_MS_MAX = 60_000;
export const ASK_ALONE_MS_MAX = 10_000;
/** Instead, in a big mesh: all of it asks once a second at most. */
export const ASK_MS_PER_NODE = 1_000;
/** Nodes that answer a newcomer's question, on average: many know the way into the mesh. */
export const HELPERS_WANTED = 8;
/** How long to wait with an answer, so that not all come at once (RFC 6762, 6). */
export const ANSWER_MS_MIN = 20;
export const ANSWER_MS_MAX = 120;
/** Between two of our words (RFC 6762, 6): one answer is for all who asked meanwhile. */
export const SPEAK_MS_MIN = 1_000;
/** Words of our mesh that are looked into; machines of a room that lost its power all ask at once. */
export const WORDS_PER_SECOND_MAX = 200;
/** After a failure of the system, such as a lack of memory, before listening goes on. */
export const HEAR_AGAIN_MS = 1_000;

/** Places where somebody may be, kept at once. Anybody on the network can make some up. */
export const CANDIDATES_MAX = 64;
/** Of one key: a machine has few addresses in our networks. */
export const CANDIDATES_PER_KEY_MAX = 4;
/** At one address: several daemons may run on one machine. */
export const CANDIDATES_PER_HOST_MAX = 16;
/** A place of which nothing was heard for so long is forgotten. */
export const CANDIDATE_MS_MAX = 300_000;
/** Attempts under way at once, and begun a second: a false word costs us no more than a handshake. */
export const DIALS_MAX = 4;
export const DIALS_PER_SECOND_MAX = 8;
/** One attempt, its handshake included. */
export const DIAL_MS_MAX = 10_000;
/** The end with the larger key id leaves the other one so much time to dial first. */
export const DIAL_LATER_MS = 1_000;
/** Between two attempts at one place: half to the whole of this, doubled each time. */
export const BACKOFF_MS_MIN = 1_000;
export const BACKOFF_MS_MAX = 60_000;

/** How long to listen for registrars: they answer within a second, or two if they spoke just now. */
export const INQUIRY_MS = 3_000;
/** Places that one inquiry brings: each may cost a dial. */
export const INQUIRY_PLACES_MAX = 16;
