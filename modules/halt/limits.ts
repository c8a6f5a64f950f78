/** Every number that bounds something in halt and shrink, with its unit in the name and its reason. */

/** How long a node's port may take to say whether somebody listens, and how often it is asked. */
export const PROBE_MS_MAX = 1_000;
export const PROBE_INTERVAL_MS = 100;
export const PROBES_AT_ONCE = 64;
/** A request to shut down may be started so late by a node that is busy. */
export const SHUTDOWN_START_MS_MAX = 10_000;
/** How long a node that the mesh has lost may take to let us in. */
export const STRAGGLER_MS_MAX = 3_000;
/** Gateways, and then the node that we talk to, get at least so long, whatever the others took. */
export const LAST_NODE_MS_MIN = 10_000;
/** Before a home is believed that says there is no mesh, its nodes are asked for so long. */
export const HALT_CONNECT_MS_MAX = 5_000;
/** A node that died without a word is noticed by its silence. */
export const NOTICE_MS_MAX = 15_000;
