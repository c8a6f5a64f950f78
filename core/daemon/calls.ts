/**
 * Calls over one conduit, in both directions at once. The one reader of the conduit is the pump
 * here; it never waits for a send, so two daemons that talk to each other cannot deadlock.
 * Each end starts the streams of one parity, so their numbers never meet.
 */

import type { CloseReason, Conduit } from "../conduit/conduit.ts";
import type { Clock } from "../environment/environment.ts";
import { CallError, errorText, ProtocolError } from "../errors.ts";
import { CALL_MS_DEFAULT, INCOMING_BYTES_MAX, LINK_STREAMS_MAX } from "../limits.ts";
import { KIND, type Message, PRIORITY, type Priority } from "../wire/message.ts";
import type { Call, Caller, CallOptions } from "./call.ts";
import { encodeCallError } from "./call_error.ts";
import { Incoming, type Serve } from "./incoming.ts";
import { OutgoingCall } from "./outgoing.ts";
import type { UserLimits } from "./user_limits.ts";

const STREAM_STEP = 2;
const STREAM_MAX = 0xffff_ffff - STREAM_STEP;
const TOO_MUCH = `More than ${INCOMING_BYTES_MAX} bytes of requests at once`;

export interface CallsOptions {
  readonly conduit: Conduit;
  readonly clock: Clock;
  /** True at the end that dialled: it uses the odd stream numbers. */
  readonly dialled: boolean;
  /** Where to begin counting streams; of the parity that fits. @default the first one */
  readonly firstStream?: number;
  /** Executes requests of the peer. @default every request fails as unknown-verb */
  readonly serve?: Serve;
  /** @default LINK_STREAMS_MAX */
  readonly streamsMax?: number;
  /** Shared by all conduits of one user. @default none */
  readonly limits?: UserLimits;
  /** @default CALL_MS_DEFAULT; 0 means that calls wait for ever (modules next door) */
  readonly deadlineMsDefault?: number;
  /** Told about handlers that threw what they should not. */
  readonly onBug?: (error: unknown, verb: string) => void;
}

export class Calls implements Caller {
  /** Resolves when the conduit is over and everything that was pending has been failed. */
  readonly done: Promise<CloseReason>;
  readonly #conduit: Conduit;
  /** Takes the answers to events, once there was one. */
  #silent: Conduit | undefined;
  readonly #options: CallsOptions;
  readonly #outgoing = new Map<number, OutgoingCall>();
  readonly #incoming = new Map<number, Incoming>();
  /** Requests and events that are being executed. */
  readonly #running = new Set<Incoming>();
  /** What they hold at most. */
  #held = 0;
  readonly #idleWaiters: (() => void)[] = [];
  #nextStream: number;
  #heardAt: number;
  #gone: CallError | undefined;

  constructor(options: CallsOptions) {
    this.#conduit = options.conduit;
    this.#options = options;
    this.#nextStream = (options.firstStream ?? (options.dialled ? 1 : 2)) - STREAM_STEP;
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

  /** Requests of ours that have no answer yet. */
  get outgoingCount(): number {
    return this.#outgoing.size;
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

  /** Resolves when nothing that the peer asked for is running any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
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
      void this.#conduit.close(errorText(error));
      this.#failAll(errorText(error));
    }
    const reason = await this.#conduit.closed;
    this.#failAll(reason.text);
    return reason;
  }

  #failAll(why: string): void {
    this.#gone ??= new CallError("unreachable", `Connection is gone: ${why}`);
    for (const call of [...this.#outgoing.values()]) call.fail(this.#gone);
    for (const incoming of [...this.#running]) incoming.abort(this.#gone);
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
    } else if (message.kind === KIND.item && !this.#mayHold(message.weight)) {
      // It has begun: "busy" would say that it may be asked again, for nothing was done.
      incoming?.abort(new CallError("failed", TOO_MUCH));
    } else incoming?.receive(message);
  }

  /** Whether the peer may put so much more here. Counted anew only when it might be too much. */
  #mayHold(bytes: number): boolean {
    if (this.#held + bytes > INCOMING_BYTES_MAX) {
      this.#held = 0;
      for (const incoming of this.#running) this.#held += incoming.held;
    }
    if (this.#held + bytes > INCOMING_BYTES_MAX) return false;
    this.#held += bytes;
    return true;
  }

  #serve(message: Message): void {
    const { clock, limits, onBug, serve } = this.#options;
    const isEvent = message.kind === KIND.event;
    if (!isEvent) this.#checkStream(message.stream);
    const refusal = this.#refusal(message);
    if (refusal !== undefined) {
      if (!isEvent) this.#refuse(message, refusal);
      return;
    }
    const conduit = isEvent ? this.#silent ??= silent(this.#conduit) : this.#conduit;
    const incoming = new Incoming(message, conduit, clock);
    this.#running.add(incoming);
    if (!isEvent) this.#incoming.set(message.stream, incoming);
    void incoming.run(serve as Serve, (error) => onBug?.(error, message.verb)).then(() => {
      if (!isEvent) this.#incoming.delete(message.stream);
      this.#running.delete(incoming);
      limits?.leave();
      if (this.#running.size === 0) { for (const wake of this.#idleWaiters.splice(0)) wake(); }
    });
  }

  #checkStream(stream: number): void {
    const theirs = stream > 0 && (stream % 2 === 1) !== this.#options.dialled;
    if (!theirs) throw new ProtocolError(`Stream ${stream} is not for the peer to start`);
  }

  /** Why the request cannot be executed; when it can, it counts among those under way. */
  #refusal(message: Message): CallError | undefined {
    const { limits, serve, streamsMax = LINK_STREAMS_MAX } = this.#options;
    if (serve === undefined) {
      return new CallError("unknown-verb", `Nothing here executes "${message.verb}"`);
    }
    // Numbers come again after 2^31 calls, and a handler that was cancelled long ago may hang.
    if (message.kind === KIND.request && this.#incoming.has(message.stream)) {
      return new CallError("busy", `Stream ${message.stream} is in use`);
    }
    if (this.#running.size >= streamsMax) {
      return new CallError("busy", `More than ${streamsMax} requests at once`);
    }
    if (!this.#mayHold(message.weight)) return new CallError("busy", TOO_MUCH);
    return limits?.enter();
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
