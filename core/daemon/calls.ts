/**
 * Calls over one conduit, in both directions at once. The one reader of the conduit is the pump
 * here; it never waits for a send, so two daemons that talk to each other cannot deadlock.
 */

import type { CloseReason, Conduit } from "../conduit/conduit.ts";
import type { Clock } from "../environment/environment.ts";
import { CallError, errorText } from "../errors.ts";
import { CALL_MS_DEFAULT, LINK_STREAMS_MAX } from "../limits.ts";
import { KIND, type Message, PRIORITY, type Priority } from "../wire/message.ts";
import type { Call, Caller, CallOptions } from "./call.ts";
import { encodeCallError } from "./call_error.ts";
import { Incoming, type Serve } from "./incoming.ts";
import { OutgoingCall } from "./outgoing.ts";
import type { RateLimit } from "./rate_limit.ts";

const STREAM_STEP = 2;
const STREAM_MAX = 0xffff_ffff - STREAM_STEP;

export interface CallsOptions {
  readonly conduit: Conduit;
  readonly clock: Clock;
  /** True at the end that dialled: it uses the odd stream numbers. */
  readonly dialled: boolean;
  /** Executes requests of the peer. @default every request fails as unknown-verb */
  readonly serve?: Serve;
  /** @default LINK_STREAMS_MAX */
  readonly streamsMax?: number;
  readonly rateLimit?: RateLimit;
  /** @default CALL_MS_DEFAULT; 0 means that calls wait for ever (modules next door) */
  readonly deadlineMsDefault?: number;
  /** Told about handlers that threw what they should not. */
  readonly onBug?: (error: unknown, verb: string) => void;
}

export class Calls implements Caller {
  /** Resolves when the conduit is over and everything that was pending has been failed. */
  readonly done: Promise<CloseReason>;
  readonly #conduit: Conduit;
  readonly #options: CallsOptions;
  readonly #outgoing = new Map<number, OutgoingCall>();
  readonly #incoming = new Map<number, Incoming>();
  readonly #running = new Set<Promise<void>>();
  #nextStream: number;
  #heardAt: number;
  #gone: CallError | undefined;

  constructor(options: CallsOptions) {
    this.#conduit = options.conduit;
    this.#options = options;
    this.#nextStream = options.dialled ? 1 : 2;
    this.#heardAt = options.clock.monotonic();
    this.done = this.#pump();
  }

  /** Monotonic ms: when the last message arrived, or the conduit was made. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Requests of the peer that are being executed now. */
  get incomingCount(): number {
    return this.#incoming.size;
  }

  request(verb: string, args?: unknown, options: CallOptions = {}): Promise<unknown> {
    const call = this.#start(verb, args, options);
    call.discardItems();
    return call.reply;
  }

  stream(verb: string, args?: unknown, options: CallOptions = {}): Call {
    return this.#start(verb, args, options);
  }

  /** An event: no answer is expected. Rejects only when the conduit is closed. */
  async tell(verb: string, args: unknown, priority: Priority = PRIORITY.normal): Promise<void> {
    await this.#conduit.send({
      kind: KIND.event,
      priority,
      stream: 0,
      verb,
      deadlineMs: 0,
      signed: false,
      body: args,
      weight: 0,
    });
  }

  /** Resolves when no request of the peer is running any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async close(text: string): Promise<void> {
    await this.#conduit.close(text);
    await this.done;
  }

  #start(verb: string, args: unknown, options: CallOptions): OutgoingCall {
    const stream = this.#takeStream();
    const call = new OutgoingCall({
      verb,
      stream,
      priority: options.priority ?? PRIORITY.normal,
      conduit: this.#conduit,
      onOver: () => this.#outgoing.delete(stream),
    });
    if (this.#gone !== undefined) {
      call.fail(this.#gone);
      return call;
    }
    this.#outgoing.set(stream, call);
    const deadlineMs = options.deadlineMs ?? this.#options.deadlineMsDefault ?? CALL_MS_DEFAULT;
    call.begin(args, { ...options, deadlineMs }, this.#options.clock);
    return call;
  }

  #takeStream(): number {
    do {
      this.#nextStream = this.#nextStream > STREAM_MAX
        ? 2 - this.#nextStream % 2
        : this.#nextStream + STREAM_STEP;
    } while (this.#outgoing.has(this.#nextStream));
    return this.#nextStream;
  }

  async #pump(): Promise<CloseReason> {
    try {
      for await (const message of this.#conduit) this.#receive(message);
    } catch (error) {
      // A failure of the conduit itself has closed it; a peer that breaks the rules is told so.
      await this.#conduit.close(errorText(error));
    }
    const reason = await this.#conduit.closed;
    const gone = new CallError("unreachable", `Connection is gone: ${reason.text}`);
    this.#gone = gone;
    for (const call of [...this.#outgoing.values()]) call.fail(gone);
    for (const incoming of [...this.#incoming.values()]) incoming.abort(gone);
    return reason;
  }

  #receive(message: Message): void {
    this.#heardAt = this.#options.clock.monotonic();
    if (message.kind === KIND.request || message.kind === KIND.event) return this.#serve(message);
    const ours = (message.stream % 2 === 1) === this.#options.dialled;
    if (ours) {
      this.#outgoing.get(message.stream)?.receive(message);
      return;
    }
    const incoming = this.#incoming.get(message.stream);
    if (message.kind === KIND.cancel) {
      incoming?.abort(new CallError("cancelled", "Cancelled by the caller"));
    } else incoming?.receive(message);
  }

  #serve(message: Message): void {
    const { serve, onBug } = this.#options;
    const isEvent = message.kind === KIND.event;
    const refusal = this.#refusal(message);
    if (refusal !== undefined) {
      if (!isEvent) this.#refuse(message, refusal);
      return;
    }
    const incoming = new Incoming(
      message,
      isEvent ? silent(this.#conduit) : this.#conduit,
      this.#options.clock,
    );
    if (!isEvent) this.#incoming.set(message.stream, incoming);
    const running = incoming.run(
      serve as Serve,
      (error) => onBug?.(error, message.verb),
    ).then(() => {
      if (!isEvent) this.#incoming.delete(message.stream);
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  #refusal(message: Message): CallError | undefined {
    if (this.#options.serve === undefined) {
      return new CallError("unknown-verb", `Nothing here executes "${message.verb}"`);
    }
    if (this.#incoming.has(message.stream)) {
      return new CallError("invalid", `Stream ${message.stream} is in use`);
    }
    const streamsMax = this.#options.streamsMax ?? LINK_STREAMS_MAX;
    if (this.#incoming.size >= streamsMax) {
      return new CallError("busy", `More than ${streamsMax} requests at once`);
    }
    if (this.#options.rateLimit?.take() === false) {
      return new CallError("busy", "More requests per second than allowed");
    }
    return undefined;
  }

  #refuse(message: Message, error: CallError): void {
    const body = encodeCallError(error);
    this.#conduit.send({ ...message, kind: KIND.error, verb: "", body, weight: 0 }).catch(() => {
      // The conduit closed meanwhile: the caller knows.
    });
  }
}

/** A conduit that swallows the answer to an event. */
function silent(conduit: Conduit): Conduit {
  return Object.create(conduit, {
    peer: { value: conduit.peer },
    send: { value: () => Promise.resolve() },
  }) as Conduit;
}
