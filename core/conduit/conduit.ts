/**
 * The contract that every conduit fulfils, and the fronts that make them. One conformance suite
 * (tests/core/conduit/conformance.ts) runs on all of them; calls, links and modules know only this.
 *
 * - Ordered and at most once: messages arrive in the order sent within one priority, or not at all.
 * - The end of a conduit without `close` by either end is a failure: the iterator throws
 *   ConnectionError and never just ends.
 * - `close` is idempotent, closed stays closed, and nothing is left running after `closed` resolves.
 */

import type { Message } from "../wire/message.ts";
import type { Certificate } from "../security/certificate.ts";
import type { Identity } from "../security/chain.ts";

/** Who is at the other end of a conduit, as proven when it was made. */
export type Peer =
  /** A module of this very daemon, or the program that embeds it. */
  | { readonly kind: "internal"; readonly module: string }
  /** The owner of the daemon: could enter the 0700 directory of the unix socket. */
  | { readonly kind: "local" }
  /** Somebody on the public unix socket. */
  | { readonly kind: "nobody" }
  /** A daemon of this mesh, by certificate. */
  | {
    readonly kind: "node";
    readonly identity: Identity;
    /** Random per process start, 32 hex digits: tells two lives of one key apart. */
    readonly instance: string;
    /** The conduit is the bulk half of a link. */
    readonly bulk: boolean;
    /** It was dialled for some messages and is no link of the mesh. */
    readonly onDemand: boolean;
    /** Newest protocol version it speaks. */
    readonly version: number;
    /** What of that it knows that came to it later, see REVISION. */
    readonly revision: number;
    /** Difference of its wall clock to ours in milliseconds, as far as the handshake tells. */
    readonly clockOffsetMs: number;
    /** Of the document that changed the mesh's PSK last, as it knows it; 0: none did. */
    readonly secretsVersion: number;
    /** Names this conduit: the same hex digits at both ends, and nowhere else. */
    readonly session: string;
  }
  /** Somebody who holds a token, and asks to become a node with these keys. */
  | {
    readonly kind: "joiner";
    /** Of type request, signed by its own key. */
    readonly request: Certificate;
    /** Names the token: 16 hex digits. */
    readonly token: string;
  }
  /** A user's program, by certificate. */
  | {
    readonly kind: "user";
    readonly identity: Identity;
    /** As of a node: a signed request can be bound to it. */
    readonly session: string;
    /** As of a node. */
    readonly clockOffsetMs: number;
  };

/** Why a conduit is over. `error` is undefined only after an orderly close by either end. */
export interface CloseReason {
  readonly by: "us" | "peer" | "failure";
  readonly text: string;
  readonly error: Error | undefined;
}

export interface Conduit extends AsyncDisposable {
  readonly peer: Peer;
  /**
   * Resolves when there is room for more (backpressure), not when the message has arrived. Encodes
   * before it returns. Rejects with ConnectionError once closed, with CallError("invalid") for a
   * body that cannot be encoded or is too large; the conduit lives on after the latter.
   */
  send(message: Message): Promise<void>;
  /** One consumer only. Ends after an orderly close, throws after a failure. */
  [Symbol.asyncIterator](): AsyncIterator<Message>;
  /** Sends what was queued, says goodbye with the text, then closes. Resolves when all is done. */
  close(text: string): Promise<void>;
  /** Resolves (never rejects) when the conduit is over, however that came. */
  readonly closed: Promise<CloseReason>;
}

/** Where one listens or connects, as text: `internal:NAME`, `unix:/path`, `tcp:HOST:PORT`. */
export type Endpoint = string;

export interface DialOptions {
  readonly signal?: AbortSignal;
  /** Refuse any other node than this one: by name, or by key id (hex). */
  readonly expect?: { readonly name?: string; readonly keyId?: string };
  /** Dial the bulk half of a link. @default false */
  readonly bulk?: boolean;
  /** Dial for some messages only; no link comes of it. @default false */
  readonly onDemand?: boolean;
  /** Dial a registrar with a token. @default false */
  readonly join?: boolean;
}

/** Something that accepts conduits until it is closed. */
export interface ConduitListener {
  /** The endpoint really bound (a port 0 is resolved). */
  readonly endpoint: Endpoint;
  /** No new conduits after it resolves; accepted ones live on. */
  close(): Promise<void>;
}

/** The maker of conduits of one scheme. */
export interface Front {
  readonly scheme: string;
  dial(endpoint: Endpoint, options?: DialOptions): Promise<Conduit>;
  /** `accept` is called for each conduit whose peer is known and allowed; failures are logged. */
  listen(endpoint: Endpoint, accept: (conduit: Conduit) => void): Promise<ConduitListener>;
}
