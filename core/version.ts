/** The program's version, and which protocols it speaks, in the one place where they are written. */
export const VERSION = "0.1.0";
/** Of handshakes and calls; see docs/protocol.md. */
export const PROTOCOL_OLDEST = 1;
export const PROTOCOL_NEWEST = 1;
/**
 * How much of what came to that protocol later a program knows, which each end says of itself; see
 * docs/protocol.md, "Versions". Each new thing gets the next number.
 */
export const REVISION = {
  /** `group.call` takes `expected`, and an empty part of `group.relay` says that a target has begun. */
  starts: 1,
} as const;
export const REVISION_NEWEST = Math.max(...Object.values(REVISION));
