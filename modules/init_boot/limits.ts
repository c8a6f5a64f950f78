/** Every number that bounds something in the boot with the machine, with its unit and its reason. */

/** How often hosts of the mesh file are looked at that are not up: a second is soon enough. */
export const HOSTS_CHECK_MS = 1_000;
/** Hosts dialled at once: the first one that answers tells of the others. */
export const HOST_DIALS_MAX = 8;
/** One attempt to reach a host, its handshake included. */
export const HOST_DIAL_MS_MAX = 10_000;
/** Between two attempts at one host: half to the whole of this, doubled each time. */
export const HOST_BACKOFF_MS_MIN = 1_000;
export const HOST_BACKOFF_MS_MAX = 30_000;
/** Reasons why a host cannot be reached that are remembered as told: some for each of its endpoints. */
export const HOST_REASONS_MAX = 64;
/** Tokens that a registrar keeps at once; each is a few hundred bytes. */
export const TOKENS_MAX = 10_000;
/** A process that holds background jobs ends them within some seconds, by SIGTERM and then SIGKILL. */
export const HOLDER_END_MS_MAX = 15_000;
/** The kernel takes its time where a disk hangs. */
export const HOLDER_KILL_MS_MAX = 5_000;
/** Between two looks whether it is gone. */
export const HOLDER_CHECK_MS = 50;
/** What is kept of the output of a program of the system. */
export const PROGRAM_TEXT_CHARACTERS_MAX = 64 * 1024;
/** A program that is none of ours may say nothing for ever; ours says its version within a second. */
export const PROGRAM_VERSION_MS_MAX = 10_000;
