/** Every number that bounds something in the shared nouns, with its unit in the name and its reason. */

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
/** Tables inside tables in a mesh file; the schema needs four. */
export const MESH_FILE_DEPTH_MAX = 16;
/** Problems shown at once; a person fixes those first. The rest are counted. */
export const MESH_FILE_PROBLEMS_SHOWN_MAX = 20;
/** Paths and free texts in a mesh file. */
export const MESH_FILE_TEXT_CHARACTERS_MAX = 1_024;

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
