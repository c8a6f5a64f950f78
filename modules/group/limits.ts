/** Every number that bounds something in group operations, with its unit in the name and its reason. */

import { GROUP_TARGETS_MAX } from "../shared/limits.ts";

/** Neighbours to whom one node sends: up to this size meshes are full, and one hop is fastest. */
export const FANOUT_MAX = 16;
/** Nodes on the way to a target; far more than any sparse graph of ours needs. */
export const HOPS_MAX = 16;
/** Edges that the origin found broken and wants avoided. */
export const AVOID_EDGES_MAX = 256;

/** What came is passed up together, this long after the first of it. */
export const PART_MS = 100;
/** What a person sees as progress need not come more often. */
export const PROGRESS_MS = 250;
/** Above this it is passed up at once; above twice this we read no more from below. */
export const PART_BYTES_MAX = 256 * 1024;
/** What an index or a failure costs besides its text, in that account. */
export const ENTRY_BYTES = 32;

/** What targets stream is passed up this long after it came, together with what follows at once. */
export const ITEMS_MS = 3;
/** Above this it is passed up without waiting. */
export const ITEMS_BYTES_EARLY = 64 * 1024;
/** What a run has streamed is kept for copies that come by another way; the beginning is given up. */
export const TAPE_BYTES_MAX = 256 * 1024;
/** A run is slowed down when its reader is so far behind. */
export const TAPE_AHEAD_BYTES = 64 * 1024;
/** Input that has passed is kept to be sent again by another way; above it there is no other way. */
export const INPUT_KEPT_BYTES_MAX = 1024 * 1024;
/** A run that nobody carries is cancelled: the origin sends again much sooner, or has died. */
export const ORPHAN_MS = 10_000;

/** Of the slack for accounts to travel up, each hop leaves this share to those below. */
export const SLACK_SHARE = 0.75;
/** Of the slack, what the word that a target has begun gets to travel up: a second at the origin. */
export const BEGUN_SHARE = 0.5;
/**
 * What a latest start may be late. Each hop reckons it in its own clock by what its neighbour's clock
 * showed, which is never more than it shows now: only whole milliseconds and slewed clocks are left. A
 * clock that is set back by less than half a second is noticed when the mesh measures it anew, within
 * 33 s: until then what it brings counts as that much later than it is, and nothing begins late.
 */
export const START_SKEW_MS = 10;
/** Who reckons by another neighbour may come to another time: a run is remembered so much longer. */
export const START_DOUBT_MS = 2_000;
/** How long a daemon that has just started waits for nodes that are named: until links and adverts are there. */
export const FIRST_VIEW_MS_MAX = 2_000;
/** A node of which the mesh has heard is in the picture after this long: two seconds if it is not reached. */
export const PICTURE_MS_MAX = 3_000;

/** Operations whose answers are remembered; a busy mesh has 50 a second for 35 s, and some. */
export const RUNS_MAX = 8_192;
/** Their requests and answers; when it is full, the oldest answers are given up. */
export const RUN_BYTES_MAX = 32 * 1024 * 1024;

/** A relay that says nothing for so long is asked whether it lives, and has as long to answer. */
export const SUSPECT_MS = 1_000;
/** First pause before the origin sends again, doubled each time: the mesh learns of a loss in less. */
export const RESEND_MS = 50;
/** Ways that the origin tries to a target, the first one included. */
export const ATTEMPTS_MAX = 4;

/**
 * A target that has been down for less may only have changed its links, and be back at once: it is
 * sent to again as if it were up. One that has died costs a call a third of a second by that, and only
 * in this first moment.
 */
export const FLAP_MS = 200;

/** Text of one failure. */
export const REASON_CHARACTERS_MAX = 500;
/** Buckets of a histogram; above it they are made twice as wide. */
export const HISTOGRAM_BUCKETS_MAX = 256;
/** Names that a caller's set may expand to, what is taken away again included. */
export const NAMES_EXPANDED_MAX = 2 * GROUP_TARGETS_MAX;
/** Names in an error about nodes that do not exist. */
export const UNKNOWN_NAMES_SHOWN_MAX = 10;
