/** Every number that bounds something in the keys module, with its unit and its reason. */

/** A request for renewal that is older was kept by somebody; also what clocks may differ. */
export const RENEWAL_AGE_MS_MAX = 300_000;
/** Requests for renewal that a registrar looks at, from anybody: each costs it two or three verifications. */
export const RENEWAL_LOOKS_PER_SECOND_MAX = 500;
/** Renewals of one key: retries pass, and copies of one request keep nobody else out. */
export const RENEWALS_PER_SECOND_MAX = 5;
/** Renewals that a node carries for others: it is a rare thing, and each costs the mesh some messages. */
export const RENEWALS_CARRIED_PER_SECOND_MAX = 5;
/** Keys whose renewals are counted before those are forgotten whose second is over. */
export const RENEWAL_KEYS_MAX = 1_024;
/** How long one registrar may take to answer. */
export const RENEWAL_ANSWER_MS_MAX = 10_000;
/** How often the time is looked at: timers go no further than weeks, and clocks are set. */
export const RENEWAL_CHECK_MS = 3_600_000;
/** Between two attempts: half to the whole of a tenth of what is left, within these. */
export const RENEWAL_BACKOFF_MS_MIN = 1_000;
export const RENEWAL_BACKOFF_MS_MAX = 3_600_000;
/**
 * Nodes that were made at once do not come at once: each waits up to this part of the life more, by
 * its key.
 */
export const RENEWAL_SPREAD = 1 / 30;
/** A warning is logged when less than these parts of the life are left, and no new one came. */
export const EXPIRY_WARNINGS: readonly number[] = [1 / 6, 1 / 30, 1 / 100];
/** Overlap of two PSKs: clocks differ by seconds, and nobody is away for longer than a certificate. */
export const OVERLAP_MS_MIN = 10_000;
export const OVERLAP_MS_MAX = 90 * 86_400_000;
/** A week: who is away for a holiday comes back to it. */
export const OVERLAP_MS_DEFAULT = 7 * 86_400_000;
/** How long a registrar may take to make a key, or to take its certificate. */
export const ISSUER_ANSWER_MS_MAX = 10_000;
/** A request for enrolment that nobody has answered is forgotten after a day, an answer after a week. */
export const ENROL_REQUEST_MS_MAX = 86_400_000;
export const ENROL_ANSWER_MS_MAX = 7 * 86_400_000;
/** Names of the spool that are read: some MiB. One user leaves one, and what is wrong is removed. */
export const ENROL_FILES_MAX = 50_000;
/** How long a look at the spool may take, so that what it saw still arrives within ENROL_ASK_MS_MAX. */
export const ENROL_LOOK_MS_MAX = 5_000;
/** How long one file of the spool may take: disks answer sooner, users' own file systems when they like. */
export const ENROL_FILE_MS_MAX = 500;
/** How long the system may take to name a user. */
export const ENROL_LOOKUP_MS_MAX = 2_000;
/** How often who enrols looks for an answer. */
export const ENROL_POLL_MS = 300;
/** An answer holds certificates, a mesh file and the list of nodes; one call carries it. */
export const ENROL_ANSWER_BYTES_MAX = 1024 * 1024;
/** How long a login node may take to say who waits, or to take an answer. */
export const ENROL_ASK_MS_MAX = 10_000;
/** Login nodes that are asked at once: each costs a handshake. */
export const ENROL_ASKED_AT_ONCE_MAX = 8;
