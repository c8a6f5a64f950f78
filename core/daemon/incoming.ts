/**
 * One request that came over a conduit, from its arrival to its one answer. It is the Context that
 * the handler sees; the dispatcher fills in the principal before the handler runs.
 */

import type { Conduit, Peer } from "../conduit/conduit.ts";
import type { Clock, Timer } from "../environment/environment.ts";
import { CallError, ConnectionError, MinimeError } from "../errors.ts";
import { KIND, type Kind, type Message } from "../wire/message.ts";
import { encodeCallError, toCallError } from "./call_error.ts";
import type { Context, Principal } from "./module.ts";
import { StreamReceiver, StreamSender } from "./stream.ts";

/** Executes a request: returns the reply, a promise of it, or a generator of items and reply. */
export type Serve = (incoming: Incoming) => unknown;

export class Incoming implements Context {
  readonly verb: string;
  readonly body: unknown;
  readonly signed: boolean;
  readonly deadlineMs: number;
  readonly peer: Peer;
  /** Nobody waits for an answer. */
  readonly isEvent: boolean;
  /** Set by the dispatcher, which alone may. */
  principal: Principal = { kind: "nobody" };
  /** What is signed gets a context of its own, which may say otherwise. */
  readonly bound = false;
  readonly #message: Message;
  readonly #conduit: Conduit;
  readonly #clock: Clock;
  readonly #arrivedAt: number;
  #controller: AbortController | undefined;
  #timer: Timer | undefined;
  #aborted: CallError | undefined;
  #input: StreamReceiver | undefined;
  #output: StreamSender | undefined;
  #over = false;

  constructor(message: Message, conduit: Conduit, clock: Clock) {
    this.verb = message.verb;
    this.body = message.body;
    this.signed = message.signed;
    this.deadlineMs = message.deadlineMs;
    this.peer = conduit.peer;
    this.isEvent = message.kind === KIND.event;
    this.#message = message;
    this.#conduit = conduit;
    this.#clock = clock;
    this.#arrivedAt = clock.monotonic();
  }

  /** Made when first asked for: most handlers are done at once and never ask. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted);
      // Whose caller is a module of this very process is told by its cancel.
      else if (this.deadlineMs > 0 && !this.#over && this.peer.kind !== "internal") {
        const passed = this.#clock.monotonic() - this.#arrivedAt;
        this.#timer = this.#clock.after(Math.max(0, this.deadlineMs - passed), () => {
          this.abort(new CallError("timeout", `Deadline of "${this.verb}" has passed`));
        });
      }
    }
    return this.#controller.signal;
  }

  /** Bytes that the caller has put here: the body, and items that nobody has read. */
  get held(): number {
    return this.#message.weight + (this.#input?.waiting ?? 0);
  }

  get input(): AsyncIterable<unknown> {
    return this.#receiver();
  }

  /**
   * Runs the request to its end. Never throws; resolves when the answer was handed to the conduit and
   * there is room for more, so that a peer which takes no answers cannot ask for ever.
   */
  async run(serve: Serve, onBug: (error: unknown) => void): Promise<void> {
    try {
      let result = serve(this);
      if (result instanceof Promise) result = await result;
      if (isGenerator(result)) result = await this.#pump(result);
      await this.#answer(KIND.end, result);
    } catch (error) {
      if (this.#aborted === undefined && !(error instanceof MinimeError)) onBug(error);
      await this.#fail(this.#aborted ?? toCallError(error), onBug);
    }
  }

  /** An item, end or credit of this stream. Throws ProtocolError. */
  receive(message: Message): void {
    if (message.kind === KIND.item) this.#receiver().push(message.body, message.weight);
    else if (message.kind === KIND.end) this.#receiver().finish();
    else if (message.kind === KIND.credit) this.#sender().give(creditOf(message));
  }

  /** The caller no longer wants it, cannot get it, or the daemon stops. */
  abort(error: CallError): void {
    if (this.#over || this.#aborted !== undefined) return;
    this.#aborted = error;
    this.#timer?.cancel();
    this.#controller?.abort(error);
    this.#input?.finish(error);
    this.#output?.finish(error);
  }

  async #pump(generator: AsyncGenerator<unknown, unknown, void>): Promise<unknown> {
    // Nobody takes the items of an event, and nobody would ever stop them.
    if (this.isEvent) return await generator.return(undefined);
    const sender = this.#sender();
    try {
      for (;;) {
        const next = await generator.next();
        if (next.done) return next.value;
        if (this.#aborted !== undefined) throw this.#aborted;
        await sender.send(() => {
          const item = this.#make(KIND.item, next.value);
          const done = this.#conduit.send(item);
          return { weight: item.weight, done: done.catch(unsendable("Item", this.verb)) };
        });
      }
    } finally {
      await generator.return(undefined);
    }
  }

  async #answer(kind: Kind, body: unknown): Promise<void> {
    this.#over = true;
    this.#timer?.cancel();
    this.#input?.finish();
    await this.#conduit.send(this.#make(kind, body)).catch(unsendable("Answer", this.verb));
  }

  /** Never throws. Whatever is wrong with the error itself, the caller gets one. */
  async #fail(failure: CallError, onBug: (error: unknown) => void): Promise<void> {
    try {
      await this.#answer(KIND.error, encodeCallError(failure));
    } catch (error) {
      if (error instanceof ConnectionError) return;
      onBug(error);
      await this.#fail(toCallError(error), onBug);
    }
  }

  #make(kind: Kind, body: unknown): Message {
    const { priority, stream } = this.#message;
    return { kind, priority, stream, verb: "", deadlineMs: 0, signed: false, body, weight: 0 };
  }

  #receiver(): StreamReceiver {
    if (this.#input === undefined) {
      this.#input = new StreamReceiver((bytes) => {
        if (this.#over) return;
        this.#conduit.send(this.#make(KIND.credit, bytes)).catch(() => {
          // Credit on a conduit that is gone is of no use to anybody.
        });
      });
      if (this.#aborted !== undefined) this.#input.finish(this.#aborted);
      else if (this.#over) this.#input.finish();
    }
    return this.#input;
  }

  #sender(): StreamSender {
    this.#output ??= new StreamSender();
    return this.#output;
  }
}

/** The bytes that a credit message gives; a malformed one gives nothing. */
export function creditOf(message: Message): number {
  const bytes = message.body;
  return typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes > 0 ? bytes : 0;
}

/** A body that cannot be sent is a mistake of the handler. */
function unsendable(what: string, verb: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof CallError)) throw error;
    throw new TypeError(`${what} of "${verb}" cannot be sent: ${error.message}`, { cause: error });
  };
}

function isGenerator(value: unknown): value is AsyncGenerator<unknown, unknown, void> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value &&
    "next" in value;
}
