/** The program's version, and which protocols it speaks, in the one place where they are written. */
export const VERSION = "0.1.0";
/** Of handshakes and calls; see docs/protocol.md. */
export const PROTOCOL_OLDEST = 1;
export const PROTOCOL_NEWEST = 1;
