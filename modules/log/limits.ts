/** Every number that bounds something in the log that others can read, with its unit and its reason. */

/** What a daemon keeps of its log for those who ask: some thousand lines. */
export const LOG_KEPT_CHARACTERS_MAX = 1024 * 1024;
/** What a line costs besides its text. */
export const LOG_LINE_CHARACTERS = 100;
/** Of one line; the rest of it is only in the daemon's own file. */
export const LOG_TEXT_CHARACTERS_MAX = 4_096;
/** Of one item of a stream, about: several fit into the credit of a stream. */
export const LOG_ITEM_CHARACTERS_MAX = 32 * 1024;
/** Lines that one can ask for: more are never kept. */
export const LOG_LINES_MAX = 100_000;
/** How long nodes may take to show what they have. */
export const LOG_MS_MAX = 10_000;
