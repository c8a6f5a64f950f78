/** Every number that bounds something in running programs, with its unit in the name and its reason. */

/** Programs of all users that one daemon runs at once: each costs two pipes and their buffers. */
export const PROGRAMS_MAX = 1_024;
/** Words of one command line; the kernel takes less than 2 MiB of them, each with 8 bytes beside it. */
export const ARGV_WORDS_MAX = 262_144;
export const ARGV_CHARACTERS_MAX = 2 * 1024 * 1024;
/** One word; the kernel takes 131,071 bytes (MAX_ARG_STRLEN with its NUL). */
export const WORD_CHARACTERS_MAX = 131_071;
/** Variables that a caller may set. */
export const VARIABLES_MAX = 1_024;
/** A set of nodes longer than this is not handed to programs: one variable takes 131,071 bytes. */
export const NODESET_VARIABLE_BYTES_MAX = 100_000;

/** What is kept of each of stdout and stderr when output comes back folded, unless asked otherwise. */
export const COLLECT_BYTES_DEFAULT = 256 * 1024;
/** Both together, with their reply, fit into one answer of a group operation. */
export const COLLECT_BYTES_MAX = 480 * 1024;

/** After a polite signal, until SIGKILL. */
export const KILL_AFTER_MS_DEFAULT = 5_000;
/** The same when the daemon shuts down, which does not wait longer for what runs. */
export const KILL_AFTER_MS_SHUTDOWN = 2_000;
/** After a program has ended, what still holds its output may stay silent this long. */
export const DRAIN_MS = 500;
/** The longest time that a run may be given: a week, as for every group operation. */
export const RUN_MS_MAX = 7 * 86_400_000;

/** A line that is longer comes in pieces: no line feed for ever must not fill our memory. */
export const LINE_BYTES_MAX = 64 * 1024;
/** One piece of input: as large as what a pipe holds. */
export const INPUT_PIECE_BYTES_MAX = 64 * 1024;
/** Input that is kept in memory for nodes that come later; what is more goes into a file. */
export const INPUT_HERE_BYTES_MAX = 1024 * 1024;
/** Comparisons of lines in a difference; above it changed parts are shown as a whole. */
export const DIFF_CELLS_MAX = 4_000_000;
/** How long a node may take to start a program, unless asked otherwise. */
export const CONNECT_MS_DEFAULT = 5_000;
/** Beyond a run's own time, for its end to be told. */
export const END_MS = 5_000;
/** How long a signal may take to reach all nodes. */
export const SIGNAL_MS_MAX = 5_000;
/**
 * Operations at once in which --fanout runs nodes, each with as many nodes as it takes: a daemon takes 64 of
 * one user, who may want to run other things beside it.
 */
export const LANES_MAX = 16;
/** Before a signal is sent again to programs that were not there yet. */
export const SIGNAL_AGAIN_MS = 100;

/** What is kept of the output of one background job: the last few thousand lines. */
export const RING_BYTES_MAX = 256 * 1024;
/** How long a job that has ended is remembered. */
export const JOB_KEPT_MS = 86_400_000;
/** How many of them on one node, for all users: 64 MiB of output. */
export const JOBS_KEPT_MAX = 256;
/** Of a job's command line that is kept: enough to know it again. */
export const JOB_ARGV_CHARACTERS_MAX = 1_024;
/** Of the nodeset of a job, which is kept to tell which nodes do not answer: a thousand plain names. */
export const JOB_NODESET_CHARACTERS_MAX = 16 * 1024;
/** Of all command lines, and as much of all errors, in one list: with the rest it fits into one answer. */
export const JOB_LIST_CHARACTERS_MAX = 96 * 1024;
/** How often the holder of jobs looks whether it holds anything, before it ends itself. */
export const HOLDER_CHECK_MS = 60_000;
/** How long it may take to start: a whole program on a busy machine. */
export const HOLDER_START_MS_MAX = 15_000;
/** How long it may take to answer what needs no waiting. */
export const HOLDER_ANSWER_MS_MAX = 10_000;
/** How often a daemon that goes down for good looks whether the holder's process is gone. */
export const HOLDER_GONE_CHECK_MS = 20;
/** Holders that die or end under one request before it fails. */
export const HOLDER_TRIES_MAX = 3;
/** How long nodes may take to say what they know of jobs. */
export const JOB_MS_MAX = 10_000;
/** How often a node that was lost while a job was followed there is asked anew: for half a minute. */
export const LOST_TRIES_MAX = 15;
/** Before each time but the first. */
export const LOST_AGAIN_MS = 2_000;
/** Sessions at once; each has keys of its own, here and at its node. */
export const SESSIONS_MAX = 64;
/** Before a daemon that takes no more requests just now is asked again. */
export const BUSY_RETRY_MS = 250;
