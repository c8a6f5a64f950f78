/** Every number that bounds something in copying files, with its unit in the name and its reason. */

/** Names in one list that is compared before their content goes: a round trip for thousands of files. */
export const BATCH_ENTRIES_MAX = 4_096;
/** Their paths together, so that a list is far below what one message takes. */
export const BATCH_BYTES_MAX = 256 * 1024;
/** What an entry costs besides its text. */
export const ENTRY_BYTES = 32;
/** Content that is read, signed, sent and written at once; small files are put together up to it. */
export const PIECE_BYTES = 256 * 1024;
/** A piece with one chunk more, a full list and their framing; whoever sends more is no sender of ours. */
export const PIECE_BYTES_MAX = 1024 * 1024;

/** One name, as the kernel has it (NAME_MAX), and one path (PATH_MAX). */
export const NAME_BYTES_MAX = 255;
export const PATH_BYTES_MAX = 4_096;
/** Of one that is too long, so that the message about it stays readable. */
export const PATH_CHARACTERS_SHOWN = 60;
/** What is left of a smaller file is not worth a round of hashes. */
export const PART_BYTES_MIN = 1024 * 1024;
/** What is left of a copy that nobody has resumed for so long is removed. */
export const PART_KEPT_MS = 7 * 86_400_000;
/** Different lengths of what is left at several nodes that are compared; beyond it the file begins anew. */
export const PART_LENGTHS_MAX = 4;
/** Files whose content waits for the disk together. */
export const CLOSING_FILES_MAX = 64;
/** Problems that are told one by one; the others are counted. */
export const PROBLEMS_SHOWN_MAX = 10;
/** Text of one of them. */
export const PROBLEM_CHARACTERS_MAX = 500;

/** Copies at once at one daemon: each is a process of its own. */
export const AGENTS_MAX = 32;
/** Those of one user: nobody keeps all others from copying. */
export const AGENTS_OF_ONE_MAX = 8;
/**
 * How long a copy waits for another one of the same user to the same place: beyond the ten seconds after
 * which a node ends what nobody carries to it any more, and the end of the process.
 */
export const SAME_PLACE_MS_MAX = 15_000;
/** How long a process that copies may take to end when it is told so. */
export const AGENT_END_MS = 2_000;
/** One that was killed and is still there waits for a disk that hangs: it is left to it after so long. */
export const AGENT_GONE_MS = 4_000;
/**
 * A process that copies and in all that time has taken and given nothing, nor computed: its disk hangs.
 * Far longer than a disk that wakes up, or a file server that fails over, takes.
 */
export const STALLED_MS_DEFAULT = 120_000;
export const STALLED_MS_MIN = 1_000;
export const STALLED_MS_MAX = 86_400_000;
/** Somebody who sends or takes nothing for so long does not come back; who hashes a large file does. */
export const IDLE_MS_MAX = 1_800_000;
/**
 * How often a process that copies says what it has done with: a word for each piece would cost as much as
 * the piece. Less than the time between two looks.
 */
export const TAKEN_MS = 200;
/** Looks in that time: what is measured in looks does not count time in which we ourselves stood still. */
export const STALLED_LOOKS = 4;
/** What a process that copies may say on stderr of what went wrong. */
export const AGENT_COMPLAINT_BYTES_MAX = 4_096;

/** How long a node may take to begin, unless asked otherwise. */
export const CONNECT_MS_DEFAULT = 5_000;
/** Sessions at once: each has keys of its own, and a file open here. */
export const SESSIONS_MAX = 16;
/** How often the line of progress is drawn. */
export const PROGRESS_MS = 200;
