/** Every number that bounds something in forwards, with its unit in the name and its reason beside it. */

/** Bytes of one read from a socket: what fits into one frame of a conduit. */
export const CHUNK_BYTES_MAX = 65_000;
/** A target that has not answered by then is not there; kernels would try for two minutes. */
export const DIAL_MS_MAX = 10_000;
/** Connections of one command to one node: a user may have 64 calls under way at one daemon. */
export const CONNECTIONS_MAX = 60;
/** Connections that one daemon makes for all users: each takes a descriptor and some buffers. */
export const NODE_CONNECTIONS_MAX = 1_024;
/** A user may begin 50 calls a second; who is over it tries again after this, and gives up then. */
export const BUSY_RETRY_MS = 100;
export const BUSY_MS_MAX = 10_000;
/** A node that says nothing for so long may be gone: a new session with it is tried. */
export const SLOW_MS = 1_000;
/** What the name of a target may have, as DNS has it. */
export const HOST_CHARACTERS_MAX = 253;
export const PORT_MAX = 65_535;
/** Forwards of one command. */
export const FORWARDS_MAX = 64;
