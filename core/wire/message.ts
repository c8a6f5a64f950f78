/**
 * The message: the one thing that conduits carry. A self-executing message names the verb that
 * executes it at the receiver; the others belong to a request that is under way. On the wire each
 * part of a message starts with a fixed header that is read without touching the body:
 *
 *   u8 version | u8 kind | u8 flags | u8 priority | u32 stream | then, in a first part only,
 *   [u32 total body bytes, if MORE] | [u32 deadline ms, lp8 verb, if request] | body bytes
 *
 * Nobody changes a message, or anything reachable from its body, after having sent it:
 * `internal:` conduits hand over the very same object.
 */

export const WIRE_VERSION = 1;

/** Grows only at the end. */
export const KIND = {
  /** Starts a stream; carries the verb and its arguments. */
  request: 1,
  /** One of a stream of replies, or of a stream into the request. */
  item: 2,
  /** The last message of one direction: from the callee the reply, from the caller the end of input. */
  end: 3,
  /** The request failed; body is {class, message, detail}. */
  error: 4,
  /** The caller no longer wants it. */
  cancel: 5,
  /** The receiver of items has made room; body is a number of bytes. */
  credit: 6,
  /** A message that expects no answer; carries verb and arguments, as a request. */
  event: 7,
} as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

/** Higher goes first within a conduit. */
export const PRIORITY = { bulk: 0, normal: 1, control: 2 } as const;
export type Priority = (typeof PRIORITY)[keyof typeof PRIORITY];

export interface Message {
  readonly kind: Kind;
  readonly priority: Priority;
  /** Chosen by the caller: odd by the end that dialled, even by the end that accepted. */
  readonly stream: number;
  /** Requests and events only, else "". */
  readonly verb: string;
  /** What is left of the caller's patience, in milliseconds; 0 means no deadline. */
  readonly deadlineMs: number;
  /** The body is a signed request (SECURITY.md 4), as bytes. */
  readonly signed: boolean;
  /** Plain data: what MessagePack can carry. Raw bytes travel without being encoded. */
  readonly body: unknown;
  /**
   * What the body costs in the accounting of credit, in bytes. Set by the conduit at both ends
   * to the same number; the sender of a message leaves it 0.
   */
  weight: number;
}
