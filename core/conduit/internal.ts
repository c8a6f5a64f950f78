/**
 * The internal front: conduits between the modules of one daemon. Messages are handed over, not
 * encoded; nobody may change a message after sending it. Names are the modules'.
 */

import { CallError, ConnectionError } from "../errors.ts";
import {
  INTERNAL_MESSAGE_WEIGHT,
  INTERNAL_QUEUE_MESSAGES_MAX,
  INTERNAL_WEIGHED_VALUES_MAX,
  MESSAGE_BYTES_MAX,
  MESSAGE_WEIGHT_MIN,
} from "../limits.ts";
import type { Message } from "../wire/message.ts";
import type {
  CloseReason,
  Conduit,
  ConduitListener,
  DialOptions,
  Endpoint,
  Front,
  Peer,
} from "./conduit.ts";

const SCHEME = "internal:";
const READY = Promise.resolve();

export class InternalFront implements Front {
  readonly scheme = "internal";
  readonly #listeners = new Map<string, (conduit: Conduit) => void>();

  dial(endpoint: Endpoint, options: DialOptions = {}): Promise<Conduit> {
    return Promise.resolve().then(() => {
      options.signal?.throwIfAborted();
      return this.dialNow(endpoint, "core");
    });
  }

  listen(endpoint: Endpoint, accept: (conduit: Conduit) => void): Promise<ConduitListener> {
    const name = nameOf(endpoint);
    if (this.#listeners.has(name)) {
      const text = `Cannot listen on "${endpoint}": it is taken`;
      return Promise.reject(new ConnectionError("address-taken", text));
    }
    this.#listeners.set(name, accept);
    const close = () => {
      if (this.#listeners.get(name) === accept) this.#listeners.delete(name);
      return READY;
    };
    return Promise.resolve({ endpoint, close });
  }

  /** Dialling within a process needs no waiting; `from` names the dialling module. */
  dialNow(endpoint: Endpoint, from: string): Conduit {
    const name = nameOf(endpoint);
    const accept = this.#listeners.get(name);
    if (accept === undefined) {
      throw new ConnectionError("refused", `Nobody listens on "${endpoint}"`);
    }
    const [here, there] = internalPair(name, from);
    accept(there);
    return here;
  }
}

/** Both ends of one internal conduit: the dialler's, whose peer is `to`, and the other's. */
function internalPair(to: string, from: string): [Conduit, Conduit] {
  const here = new InternalConduit({ kind: "internal", module: to });
  const there = new InternalConduit({ kind: "internal", module: from });
  here.join(there);
  return [here, there];
}

/** Raw bytes inside a structure, as streams of bytes have them; not all of a large structure is looked at. */
function bytesIn(body: unknown): number {
  let bytes = 0;
  let left = INTERNAL_WEIGHED_VALUES_MAX;
  const look = (value: unknown): void => {
    if (typeof value !== "object" || value === null || left-- <= 0) return;
    if (value instanceof Uint8Array) bytes += value.length;
    else for (const inner of Array.isArray(value) ? value : Object.values(value)) look(inner);
  };
  look(body);
  return bytes;
}

class InternalConduit implements Conduit {
  readonly closed: Promise<CloseReason>;
  #other: InternalConduit | undefined;
  readonly #inbox: Message[] = [];
  /** How many of the inbox were read. */
  #read = 0;
  #wakeReader: (() => void) | undefined;
  readonly #roomWaiters: (() => void)[] = [];
  #ended: CloseReason | undefined;
  #resolveClosed: (reason: CloseReason) => void = () => {};

  constructor(readonly peer: Peer) {
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
  }

  join(other: InternalConduit): void {
    this.#other = other;
    other.#other = this;
  }

  send(message: Message): Promise<void> {
    const other = this.#other;
    if (this.#ended !== undefined || other === undefined || other.#ended !== undefined) {
      const text = `Conduit is closed: ${this.#ended?.text ?? "gone"}`;
      return Promise.reject(new ConnectionError("closed", text));
    }
    const { body } = message;
    if (body instanceof Uint8Array && body.length > MESSAGE_BYTES_MAX) {
      const text = `Message of ${body.length} bytes is over the limit of ${MESSAGE_BYTES_MAX}`;
      return Promise.reject(new CallError("invalid", text));
    }
    message.weight = body instanceof Uint8Array
      ? MESSAGE_WEIGHT_MIN + body.length
      : INTERNAL_MESSAGE_WEIGHT + bytesIn(body);
    other.#inbox.push(message);
    other.#wake();
    if (other.#unread <= INTERNAL_QUEUE_MESSAGES_MAX) return READY;
    return new Promise((resolve, reject) => {
      other.#roomWaiters.push(() => {
        if (this.#ended === undefined) resolve();
        else reject(new ConnectionError("closed", `Conduit is closed: ${this.#ended.text}`));
      });
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, void> {
    for (;;) {
      while (this.#read < this.#inbox.length) {
        const message = this.#inbox[this.#read++] as Message;
        if (this.#read >= INTERNAL_QUEUE_MESSAGES_MAX || this.#unread === 0) {
          this.#inbox.splice(0, this.#read);
          this.#read = 0;
        }
        if (this.#unread < INTERNAL_QUEUE_MESSAGES_MAX / 2) this.#wakeSenders();
        yield message;
        if (this.#ended?.by === "us") return;
      }
      if (this.#ended !== undefined) return;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
  }

  close(text: string): Promise<void> {
    this.#end({ by: "us", text, error: undefined });
    if (this.#other) this.#other.#end({ by: "peer", text, error: undefined });
    return READY;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close("disposed");
  }

  get #unread(): number {
    return this.#inbox.length - this.#read;
  }

  #wakeSenders(): void {
    if (this.#roomWaiters.length === 0) return;
    for (const wake of this.#roomWaiters.splice(0)) wake();
  }

  #wake(): void {
    const wake = this.#wakeReader;
    this.#wakeReader = undefined;
    wake?.();
  }

  #end(reason: CloseReason): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#wake();
    this.#wakeSenders();
    if (this.#other !== undefined) this.#other.#wakeSenders();
    this.#resolveClosed(reason);
  }
}

function nameOf(endpoint: Endpoint): string {
  if (!endpoint.startsWith(SCHEME)) {
    throw new ConnectionError("other", `Endpoint "${endpoint}" does not start with "${SCHEME}"`);
  }
  return endpoint.slice(SCHEME.length);
}
