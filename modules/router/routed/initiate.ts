/**
 * Begins a routed conduit: asks the other end for a handshake over a carrier, again and again, by
 * other paths and with new attempts, until it has answered or the time is over.
 */

import {
  AuthenticationError,
  type Clock,
  ConnectionError,
  type EndToEnd,
  type EndToEndEstablished,
  type EndToEndInitiator,
  FramedConduit,
  PACKET,
  packetId,
  packetType,
  PRIORITY,
  RateLimit,
  type Timer,
} from "../../../core/mod.ts";
import type { Carrier } from "../../shared/carrier.ts";
import {
  ANSWERS_TRIED_PER_SECOND_MAX,
  ASK_MS_START,
  ATTEMPT_MS_MAX,
  DIAL_MS_MAX,
  PARTIAL_MS_MAX,
  RESEND_MS_MAX,
  RESENDS_BEFORE_REROUTE,
} from "./limits.ts";
import { RoutedPipe } from "./pipe.ts";

export interface RoutedTarget {
  /** Key id, 64 hex digits. */
  readonly keyId: string;
  /** As people call it, and as its certificate must. */
  readonly name: string;
}

export interface InitiateRouted {
  /** Ours from now on, whatever comes of it. */
  readonly carrier: Carrier;
  readonly endToEnd: EndToEnd;
  readonly clock: Clock;
  /** Who we are, for people. */
  readonly local: string;
  /** The bulk half of a conduit. @default false */
  readonly bulk?: boolean;
  /** @default DIAL_MS_MAX */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** A conduit, and when nothing of it is left. */
export interface RoutedConduit {
  readonly conduit: FramedConduit;
  readonly done: Promise<void>;
  /** Shows the other end that we are there, now: packets may come to it by another way. */
  readonly ask: () => void;
}

/**
 * Rejects with AuthenticationError when the target has refused us, with ConnectionError when it did
 * not answer in time or there is no way to it, or with the signal's reason.
 */
export async function initiateRouted(
  target: RoutedTarget,
  options: InitiateRouted,
): Promise<RoutedConduit> {
  const { carrier, clock, signal, timeoutMs = DIAL_MS_MAX } = options;
  const { promise, resolve, reject } = Promise.withResolvers<RoutedConduit>();
  const attempts = new Attempts(target, options, { resolve, reject });
  const limit = clock.after(timeoutMs, () => reject(attempts.lateError(timeoutMs)));
  const abort = () => reject(signal?.reason);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  void carrier.closed.then((text) =>
    reject(new ConnectionError("no-route", `Way to mesh:${target.name} is closed: ${text}`))
  );
  try {
    attempts.begin();
    return await promise;
  } catch (error) {
    carrier.close("not connected");
    throw error;
  } finally {
    limit.cancel();
    signal?.removeEventListener("abort", abort);
    attempts[Symbol.dispose]();
  }
}

interface Settle {
  readonly resolve: (made: RoutedConduit) => void;
  readonly reject: (error: unknown) => void;
}

/** One initiator after the other; what was a target's answer ends it. */
class Attempts implements Disposable {
  readonly #target: RoutedTarget;
  readonly #options: InitiateRouted;
  readonly #settle: Settle;
  #initiator: EndToEndInitiator | undefined;
  #attemptMs = 0;
  #pauseMs = ASK_MS_START;
  #unanswered = 0;
  readonly #tries: RateLimit;
  #refusal: AuthenticationError | undefined;
  #timer: Timer | undefined;
  #over = false;

  constructor(target: RoutedTarget, options: InitiateRouted, settle: Settle) {
    this.#target = target;
    this.#options = options;
    this.#settle = settle;
    this.#tries = new RateLimit(ANSWERS_TRIED_PER_SECOND_MAX, options.clock);
  }

  /** Throws AuthenticationError when the target is ourselves. */
  begin(): void {
    this.#renew();
    this.#options.carrier.onPacket((packet) => this.#take(packet));
    this.#ask();
  }

  lateError(timeoutMs: number): ConnectionError {
    const { name } = this.#target;
    const seconds = timeoutMs / 1_000;
    const why = this.#options.carrier.hasRoute
      ? `mesh:${name} did not answer within ${seconds} s, by any route`
      : `There was no route to mesh:${name} for ${seconds} s`;
    const cause = this.#refusal;
    const more = cause === undefined ? "" : `; an answer was not taken: ${cause.message}`;
    return new ConnectionError("timeout", why + more, { cause });
  }

  [Symbol.dispose](): void {
    this.#over = true;
    this.#timer?.cancel();
    this.#initiator?.[Symbol.dispose]();
  }

  #renew(): void {
    const { endToEnd, bulk = false } = this.#options;
    const { keyId, name } = this.#target;
    this.#refusal = this.#initiator?.refusal ?? this.#refusal;
    this.#initiator?.[Symbol.dispose]();
    this.#initiator = endToEnd.initiate({ target: keyId, name, bulk });
    this.#attemptMs = 0;
    this.#pauseMs = ASK_MS_START;
  }

  /** Sends what is to be answered, and again after a pause. */
  #ask(): void {
    const { carrier, clock } = this.#options;
    const { outgoing } = this.#initiator as EndToEndInitiator;
    carrier.send(outgoing, PRIORITY.normal).catch(() => {
      // The carrier is closed, which ends this by itself.
    });
    this.#timer?.cancel();
    const pauseMs = this.#pauseMs;
    this.#timer = clock.after(pauseMs, () => {
      if (this.#over) return;
      this.#attemptMs += pauseMs;
      this.#pauseMs = Math.min(RESEND_MS_MAX, 2 * pauseMs);
      if (carrier.hasRoute && ++this.#unanswered % RESENDS_BEFORE_REROUTE === 0) carrier.reroute();
      try {
        if (this.#attemptMs >= ATTEMPT_MS_MAX) this.#renew();
      } catch (error) {
        // Whoever waits is told: nobody else hears what a timer throws, and the program would end.
        this.#over = true;
        return this.#settle.reject(error);
      }
      this.#ask();
    });
  }

  #take(packet: Uint8Array): void {
    if (this.#over) return;
    const initiator = this.#initiator as EndToEndInitiator;
    // Only who saw this attempt can use up its tries.
    if (packetType(packet) !== undefined && packetId(packet) !== initiator.id) return;
    if (packetType(packet) === PACKET.answer && !this.#tries.take()) return;
    const before = initiator.outgoing;
    try {
      const established = initiator.receive(packet);
      this.#refusal = initiator.refusal ?? this.#refusal;
      if (established !== undefined) return this.#finish(established);
    } catch (error) {
      this.#over = true;
      return this.#settle.reject(error);
    }
    if (initiator.outgoing === before) return;
    this.#pauseMs = ASK_MS_START;
    this.#unanswered = 0;
    this.#ask();
  }

  /** At once, so that what comes right behind the verdict finds the pipe. */
  #finish({ peer, cipher }: EndToEndEstablished): void {
    this.#over = true;
    const { carrier, clock, local } = this.#options;
    const remote = `mesh:${peer.identity.name}`;
    const pipe = new RoutedPipe({ way: carrier, cipher, clock, remote, local, asks: true });
    carrier.onPacket((packet) => pipe.receive(packet));
    const conduit = new FramedConduit({ pipe, peer, clock, partialMsMax: PARTIAL_MS_MAX });
    this.#settle.resolve({ conduit, done: pipe.done, ask: () => pipe.ask() });
  }
}
