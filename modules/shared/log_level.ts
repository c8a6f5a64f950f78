/** What one can ask a daemon to log; warnings and errors always are. */

export const LOG_LEVELS = ["debug", "info"] as const;
export type DaemonLogLevel = (typeof LOG_LEVELS)[number];
