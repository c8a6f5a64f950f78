/**
 * The call API: the same for a module next door (`internal:NAME`), a neighbour over a link, or a
 * daemon reached as a client. Every call ends exactly once: with its reply, or with one CallError.
 */

import type { Priority } from "../wire/message.ts";

export interface CallOptions {
  /** How long the caller will wait, milliseconds from now. @default CALL_MS_DEFAULT */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  /** @default PRIORITY.normal */
  readonly priority?: Priority;
  /** `args` is a signed request as bytes (see Context.principal). @default false */
  readonly signed?: boolean;
}

/** A call whose verb streams items, takes a stream of items, or both. Iterate it for the items. */
export interface Call extends AsyncIterable<unknown> {
  /** Resolves with the reply after the last item; rejects with CallError. Safe to ignore. */
  readonly reply: Promise<unknown>;
  /** Sends one item into the request; resolves when there is credit for more. */
  send(item: unknown): Promise<void>;
  /** No more items from us. Idempotent. */
  end(): Promise<void>;
  /** Tells the callee to stop; the reply rejects with CallError("cancelled"). Idempotent. */
  cancel(reason?: string): void;
}

export interface Caller {
  /** One request, one reply; items that the verb may stream are discarded. */
  request(verb: string, args?: unknown, options?: CallOptions): Promise<unknown>;
  stream(verb: string, args?: unknown, options?: CallOptions): Call;
}
