/** Every number that bounds something in the shared nouns, with its unit in the name and its reason. */

import { STEPS_MAX } from "../../core/mod.ts";

/** Text of one nodeset: a file of 100,000 plain names still fits. */
export const NODESET_CHARACTERS_MAX = 4 * 1024 * 1024;
/** Names that one nodeset may expand to, counted over all its terms before they are combined. */
export const NODESET_NAMES_MAX = 1_000_000;
/** One name after expansion: the longest name that DNS knows. */
export const NODESET_NAME_CHARACTERS_MAX = 253;
/** Brackets in one term, `r[1-2]n[1-4]` has two. */
export const NODESET_BRACKETS_MAX = 8;
/** Digits of one index; every such number is exact in a double. */
export const NODESET_DIGITS_MAX = 15;
/** Runs of digits in one name that folding looks at, counted from the end: an IPv4 address has four. */
export const NODESET_FOLD_RUNS_MAX = 4;
/** Above this many names folding takes the first good answer and does not look for a shorter one. */
export const NODESET_FOLD_SEARCH_NAMES_MAX = 20_000;

/** A mesh file or boot schema: 10,000 hosts written out one by one still fit. */
export const MESH_FILE_CHARACTERS_MAX = 4 * 1024 * 1024;
/** Hosts of one mesh. */
export const MESH_HOSTS_MAX = 65_536;
/** Hosts through which ssh jumps one after the other: each costs a login and a round trip. */
export const JUMPS_MAX = 4;
/** Tables inside tables in a mesh file; the schema needs four. */
export const MESH_FILE_DEPTH_MAX = 16;
/** Problems shown at once; a person fixes those first. The rest are counted. */
export const MESH_FILE_PROBLEMS_SHOWN_MAX = 20;
/** Paths and free texts in a mesh file. */
export const MESH_FILE_TEXT_CHARACTERS_MAX = 1_024;

/** How long whoever boots a node may take to answer its request for a certificate. */
export const ADMIT_MS_MAX = 120_000;
/** A line of the enrolment may hold a certificate chain, a policy and some thousand peers. */
export const ENROLMENT_LINE_BYTES_MAX = 4 * 1024 * 1024;

/** Columns of a source line that are shown around a caret. */
export const EXCERPT_COLUMNS_MAX = 100;

/** Words longer than this get no suggestion: edit distance costs the product of the lengths. */
export const SUGGEST_CHARACTERS_MAX = 64;
/** Candidates that are compared with one word. */
export const SUGGEST_CANDIDATES_MAX = 10_000;

/** A duration or size as text, `1h30m`. */
export const QUANTITY_CHARACTERS_MAX = 64;
/** Longest duration: 100 years. More is a slip of the unit. */
export const DURATION_MS_MAX = 100 * 365 * 86_400_000;

/** One cell of a table; longer ones are cut, whatever the terminal's width. */
export const CELL_CHARACTERS_MAX = 4_096;

/** Canonical text of one value when equal answers are folded. */
export const FOLD_KEY_CHARACTERS_MAX = 16 * 1024 * 1024;

/** Targets of one group operation: all hosts of the largest mesh. */
export const GROUP_TARGETS_MAX = MESH_HOSTS_MAX;
/** Verbs in one group operation; the core executes no more at once. */
export const GROUP_STEPS_MAX = STEPS_MAX;
/** How long the slowest target may take, unless the caller says otherwise; and at most. */
export const GROUP_MS_DEFAULT = 30_000;
export const GROUP_MS_MAX = 7 * 86_400_000;
/** A latest start farther away is a slip: what is remembered of a group operation must end. */
export const GROUP_START_MS_MAX = 3_600_000;
/** How long from its issue an operation may be started: who waits longer has given up. */
export const GROUP_START_MS_DEFAULT = 5_000;
/**
 * Beyond the time that targets get, for accounts to travel up. Each hop keeps a little more of it
 * than the hops below, so that the lowest one that waits in vain is the one that says so.
 */
export const GROUP_SLACK_MS = 2_000;
/** One target's answer: texts of commands fit; more than the maximum is no answer but a stream. */
export const GROUP_NODE_BYTES_DEFAULT = 64 * 1024;
export const GROUP_NODE_BYTES_MAX = 1024 * 1024;
/** Entries of a top list, and the longest path of a field. */
export const GROUP_TOP_MAX = 1_000;
export const GROUP_FIELD_CHARACTERS_MAX = 200;

/** Life of a certificate (SECURITY.md 2): of a node that boot starts, and of one that is installed. */
export const BOOTED_NODE_MS = 30 * 86_400_000;
export const INSTALLED_NODE_MS = 90 * 86_400_000;
/** Life of a user's certificate; a command in its last week renews it where the root key is. */
export const USER_MS = 30 * 86_400_000;
export const USER_RENEWAL_MS = 7 * 86_400_000;
/** Life of an issuer's certificate; the root key makes another one in its last quarter. */
export const ISSUER_MS = 365 * 86_400_000;
export const ISSUER_RENEWAL_MS = 90 * 86_400_000;

/** Shorter than a second nobody can use one. */
export const TOKEN_MS_MIN = 1_000;
/** Life of a token: who needs longer has time to make another one. */
export const TOKEN_MS_MAX = 30 * 86_400_000;
/** Groups of one node in one token. */
export const TOKEN_GROUPS_MAX = 64;

/** How long a line of the user database is believed. */
export const ACCOUNT_MS_MAX = 10_000;
export const ACCOUNTS_MAX = 256;
/** getent may ask a directory server. */
export const GETENT_MS_MAX = 5_000;

/** For how long nodes are asked, one after the other, when each goes away before it has answered. */
export const ASKED_MS_MAX = 10_000;
/** The pause between two of them. */
export const ASKED_AGAIN_MS = 300;

/** How long commands wait for a new document to count on all nodes that are up. */
export const PUBLISHED_MS_MAX = 5_000;
/** How often they ask meanwhile, and how long an answer may take. */
export const PUBLISHED_POLL_MS = 50;
export const PUBLISHED_ANSWER_MS_MAX = 2_000;

/** People are told of a certificate of which less than this part of its life is left. */
export const EXPIRY_WARNING_PART = 1 / 6;

/** Memory for one read of a pipe: four times what one holds by itself, a quarter of what a wide one does. */
export const LENT_BYTES_MAX = 256 * 1024;

/** A limit of time that ends so late: we ourselves stood still, and judge nobody. */
export const LATE_MS = 250;
/**
 * How long the daemon that was asked for programs may be silent. Its neighbours have lost it in a quarter
 * of that, and have ended ten seconds later what nobody but it had carried.
 */
export const SILENT_MS_MAX = 20_000;
/** The same for a session, which waits for half a minute itself until there is a way again. */
export const SESSION_SILENT_MS_MAX = 40_000;
