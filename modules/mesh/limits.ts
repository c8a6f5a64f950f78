/** Every number that bounds something in the mesh module, with its unit and its reason. */

/** Links that one advert may claim: a full graph of this many nodes, far beyond what is sensible. */
export const ADVERT_LINKS_MAX = 1_024;
export const ADVERT_ENDPOINTS_MAX = 16;
/** `tcp:`, a DNS name of 253, a port. */
export const ENDPOINT_CHARACTERS_MAX = 272;
export const VERSION_CHARACTERS_MAX = 32;
/** Room above for jumps; below 2^53 by far. */
export const INCARNATION_MAX = 2 ** 48;
export const SEQUENCE_MAX = 2 ** 48;
/** Links dominate: 32 bytes each. */
export const ADVERT_BYTES_MAX = 40 * 1024;

/** Nodes of a segment up to which all are linked with all; a few more stay so. */
export const FULL_GRAPH_NODES_MAX = 16;
/** A graph that was right for this many times the nodes is no reason yet to close a link. */
export const GRAPH_SLACK = 1.25;
/** Rings that give a node two links each: enough for 16,384 nodes, and few for any more. */
export const RINGS_MAX = 8;
/** Gateways of one segment that link with those of another one: two may die at the same moment. */
export const GATEWAYS_PER_PAIR_MAX = 3;
/** Rings on which a node looks for its first links among seeds of which it knows nothing more. */
export const SEED_RINGS = 2;

/** Versions of one node's advert that daemons of one process share: the newest travel still. */
export const POOLED_ADVERTS_PER_NODE_MAX = 3;

/** The first change of the own advert waits so long for others that come with it. */
export const ADVERT_DELAY_MS = 50;
/** Adverts of one node in the long run: of 64 nodes that boot, each changes 63 times. */
export const ADVERT_INTERVAL_MS = 500;
/** So much longer for each node in the table: all of them have to be told. */
export const ADVERT_INTERVAL_MS_PER_NODE = 1;
/**
 * Links gained with nodes that are up anyway are told so long after the first of them: a boot makes
 * dozens for each node, and nobody waits for the word.
 */
export const UNHURRIED_ADVERT_MS = 1_000;
/** So much longer for each node that is up: all together say fifty of these a second at most. */
export const UNHURRIED_ADVERT_MS_PER_NODE = 20;
/**
 * Who meets a stranger compares with it so much later: in a boot all are strangers, and by then each has
 * told of its first links, so that what it said before them, which nobody needs, travels no further.
 */
export const FIRST_SYNC_MS = 2 * ADVERT_DELAY_MS;
/** After some quiet, so many may follow each other at once: a newcomer is seen soon. */
export const ADVERTS_AT_ONCE_MAX = 4;
/** News for one neighbour are gathered so long, so that a wave of adverts becomes few messages. */
export const FLOOD_DELAY_MS = 20;
/**
 * Offers wait so long: by then most have heard the news, and need none. It is what a broken tree costs
 * for each hop.
 */
export const OFFER_DELAY_MS = 150;
/** Where nothing is urgent, news are gathered so many times longer. */
export const UNHURRIED_FACTOR = 10;
/**
 * More news than this at once are a boot or a partition that heals: they come from all sides, so even
 * who is told at once is only offered them, and asks for what it lacks.
 */
export const FLOOD_UNASKED_MAX = 16;
/** One message of adverts. */
export const FLOOD_ADVERTS_MAX = 256;
export const FLOOD_BYTES_MAX = 256 * 1024;
/** A neighbour that has not taken a message of adverts by then is asked again. */
export const FLOOD_MS_MAX = 10_000;
/** Before news, a comparison or a question that a neighbour could not take is tried again. */
export const RETRY_MS = 1_000;

/**
 * Adverts pushed by one neighbour, each of which may cost a signature check: all changes of 100
 * nodes at their fastest. One second's worth may come at once.
 */
export const ADVERTS_PER_SECOND_MAX = 1_000;
/** Newer adverts of one node, whoever brings them: what an honest one says at most, and twice that. */
export const NODE_ADVERTS_AT_ONCE_MAX = 32;
export const NODE_ADVERTS_PER_SECOND_MAX = 4;
/** Comparisons and questions by one neighbour. */
export const QUESTIONS_PER_SECOND_MAX = 50;
/** Key ids in one question, and bytes of its answer. */
export const FETCH_KEYS_MAX = 128;
export const FETCH_BYTES_MAX = 512 * 1024;
export const FETCH_MS_MAX = 10_000;
/** Nodes in one summary, 65 bytes each: what fits into a message. */
export const SUMMARY_NODES_MAX = 60_000;
/** Nodes in one bucket of a comparison, about: 8 bytes for these against 81 for each that differs. */
export const DIGEST_NODES = 4;
/** Three hex digits of a key id. */
export const DIGEST_BUCKETS_MAX = 4_096;
/** Besides when a link comes up: heals what was lost with a link that died unnoticed. */
export const SYNC_MS = 60_000;
/** A chain is verified again when a newer advert comes after so long: it may have been revoked. */
export const CHAIN_TRUSTED_MS_MAX = 60_000;
/** One that is due for renewal is asked for again after so long: adverts are rare in a calm mesh. */
export const CHAIN_DUE_TRUSTED_MS_MAX = 5_000;

/** Nodes in the table, whatever their state: 65,536 hosts are the most that a mesh file may name. */
export const NODES_MAX = 70_000;
/** Nodes that are down, left or forgotten: the oldest go first. */
export const GONE_NODES_MAX = 10_000;
/**
 * Who has just started waits for its first view of the mesh to be calm for so long before it dials what
 * the graph wants, and at most so long in all.
 */
export const CALM_MS = 200;
export const FIRST_VIEW_MS_MAX = 2_000;
/** States follow from the table so long after a change, once for all changes in between. */
export const STATES_DELAY_MS = 20;
/** So much longer for each node: what a change costs grows with them, its share of the time must not. */
export const STATES_DELAY_MS_PER_NODE = 0.1;
/**
 * Who was gone, and seems to be back by nothing but old adverts, is shown as up after so long: what the
 * newer ones need to come, by offers over a few hops, and more than a round trip between continents.
 */
export const HEARSAY_MS = 600;
/** Who is back so soon was cut off by a link that flaps, which leaves little time to die meanwhile. */
export const HEARSAY_AFTER_MS = 1_000;
/** A node that was never reachable is not shown as down before its neighbours can have spoken. */
export const NEWCOMER_MS = 2_000;

/** Adverts of one other life of our key, each above our answer to the one before: it is alive. */
export const TWIN_JUMPS_MAX = 3;
/** Saying goodbye must not hold up the daemon's shutdown. */
export const GOODBYE_MS_MAX = 1_000;

/** Dials under way at once: a rack that is gone must not hold up those that are there. */
export const DIALS_MAX = 16;
/** One endpoint; the handshake inside has a limit of its own. */
export const DIAL_MS_MAX = 5_000;
/** Both ends learn of each other at once: the larger key id gives the smaller this much time. */
export const DIAL_LATER_MS = 1_000;
/** By chance, up to: all nodes learn of a newcomer at once. */
export const DIAL_JITTER_MS = 100;
/** Between attempts, doubled each time, then up to half of it taken off by chance. */
export const BACKOFF_MS_MIN = 500;
export const BACKOFF_MS_MAX = 30_000;
/** A link that did not stand so long does not end the backoff. */
export const LINK_STABLE_MS = 10_000;
/** Of many seeds a newcomer dials a few first; half to one and a half of this later, the others. */
export const SEED_LATER_MS = 4_000;
/** More seeds than this that are not up share the dials of so many. */
export const SEEDS_AT_FULL_PACE = 16;
/** So often, all nodes of a segment that see each other together dial one that is lost, by chance. */
export const PROBE_MS = 500;
/** A link that the graph does not ask for stays so long: nodes that flap must not move links. */
export const SURPLUS_MS = 30_000;
/**
 * Before a neighbour that still needed a link, or was busy on it, is asked again. All nodes ask at the
 * whole multiples of it by their clocks, so that few adverts tell of many links that go.
 */
export const SURPLUS_AGAIN_MS = 15_000;

/** Each end of each link says that it is there. Twice this must fit into the silence below. */
export const HEARTBEAT_MS = 2_200;
/**
 * Silence after which a link is lost: one beat may be missing, and what is left to 5 s is enough for
 * the word of it to reach everybody.
 */
export const SILENCE_MS_MAX = 4_500;
/** Our own timer was so late: we were stalled, and what others sent may still be unread. */
export const STALL_MS = 500;
/** Who stalls again and again listens anew after each stall for so long, and not for ever. */
export const STALLS_MS_MAX = 2 * SILENCE_MS_MAX;
/** After a stall what has come is read for so long before anybody is judged. */
export const READ_MS = 100;
/**
 * A neighbour's clock that seems to be so far behind is asked; an answer that took longer says little. Less
 * is what a beat may take on its way through a busy machine: that is found out when the way is measured.
 */
export const CLOCK_DOUBT_MS = 500;
/** Every so many beats the round-trip time is measured as well. */
export const ROUND_TRIP_BEATS = 15;

/** Names or key ids in one request to forget. */
export const FORGET_NODES_MAX = 10_000;

/** `minime status`: how long a node may take to tell of its links; a frozen one never does. */
export const STATUS_ANSWER_MS_MAX = 3_000;
/** Between two looks of --wait: short for a person, little work for a mesh. */
export const STATUS_POLL_MS = 250;
export const STATUS_WAIT_MS_DEFAULT = 30_000;
/** Round trips above these are called slow: far more than a healthy network of that kind needs. */
export const SLOW_MS = 100;
export const SLOW_BETWEEN_SEGMENTS_MS = 500;
/** Nodes in one message of a view: up to 70 KB each, when each claims all the links that it may. */
export const NODES_PER_PART = 50;

/** Nodes that are not in the mesh and are asked why, by one look at it; and how long all may take. */
export const SHUT_OUT_ASKED_MAX = 16;
export const SHUT_OUT_MS_MAX = 500;
