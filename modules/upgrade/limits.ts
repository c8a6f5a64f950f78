/** Every number that bounds something in upgrades, with its unit and its reason. */

/** Largest program: three times the present one. */
export const PROGRAM_BYTES_MAX = 300 * 1024 * 1024;
/** One piece of it on its way. */
export const PIECE_BYTES = 64 * 1024;
/** How long the copy to all nodes may take, over slow lines too. */
export const PUT_MS_MAX = 1_800_000;
/** How long a program may take to say which version it is, on a busy machine. */
export const VERSION_MS_MAX = 20_000;
export const VERSION_CHARACTERS_MAX = 4_096;
/** What is told of why a program of the system failed. */
export const COMPLAINT_CHARACTERS_MAX = 500;
/** How long a new program may take to come up, before the old one is put back. */
export const UP_SECONDS_MAX = 60;
/** How long a node is waited for, the return of its old program included. */
export const BACK_MS_MAX = 90_000;
/** How often the mesh is asked about it. */
export const LOOK_MS = 200;
/** How long a node may take to hash its program and to begin, on a busy machine: later it is a failure. */
export const START_MS_MAX = 60_000;
/** How long the answer may take of a node that is asked again. */
export const ANSWER_MS_MAX = 10_000;
