/**
 * Handshakes that others begin with us. Whoever is no friend may ask for them too, and packets may
 * claim to be of anybody, so what one costs before it has proven anything is bounded: so many
 * answers a second, so many that wait, and the oldest gives way to the newest: who only asks keeps
 * nobody out for longer than it keeps asking.
 *
 * One carrier may bring several handshakes: its maker's attempts, and what others put on its way. Each
 * has a name of its own, and none is in the way of another.
 */

import {
  AuthenticationError,
  type Clock,
  type Conduit,
  type EndToEnd,
  type EndToEndEstablished,
  type EndToEndResponder,
  equalBytes,
  errorText,
  FramedConduit,
  type Log,
  PACKET,
  packetId,
  packetType,
  PRIORITY,
  RateLimit,
  type Timer,
} from "../../../core/mod.ts";
import type { Carrier } from "../../shared/carrier.ts";
import {
  ANSWERS_PER_SECOND_MAX,
  ASKS_BEFORE_REROUTE,
  HALF_OPEN_LOOK_MS,
  HALF_OPEN_MAX,
  HALF_OPEN_MS_MAX,
  HALF_OPEN_PER_STREAM_MAX,
  PARTIAL_MS_MAX,
} from "./limits.ts";
import { RoutedPipe } from "./pipe.ts";

export interface ArrivalsOptions {
  readonly clock: Clock;
  readonly endToEnd: EndToEnd;
  /** Who we are, for people. */
  readonly local: string;
  readonly log: Log;
  readonly accept: (conduit: Conduit) => void;
  /** Whatever is made of a handshake, and lives until this resolves. */
  readonly made: (done: Promise<void>) => void;
}

/** A handshake that was answered; it is kept for a while after its end, to answer copies. */
interface HalfOpen {
  readonly first: Uint8Array;
  readonly responder: EndToEndResponder;
  readonly stream: IncomingStream;
  /** Looks that it has outlived. */
  looks: number;
  /** Copies of its packets that came. */
  copies: number;
}

export class Arrivals {
  readonly #options: ArrivalsOptions;
  readonly #answers: RateLimit;
  /** Oldest first. */
  readonly #halfOpen = new Set<HalfOpen>();
  readonly #streams = new Set<IncomingStream>();
  /** Whose other end has not shown yet that it has got our verdict. */
  readonly #unconfirmed = new Set<RoutedPipe>();
  #timer: Timer | undefined;
  #closed = false;
  /** Packets that asked and got no answer. */
  refused = 0;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
    this.#answers = new RateLimit(ANSWERS_PER_SECOND_MAX, options.clock);
  }

  /** Handshakes that wait for their other end. */
  get waiting(): number {
    return this.#halfOpen.size;
  }

  /** Whether the first packet of a stream that nobody knows asks us for a handshake. */
  wants(packet: Uint8Array): boolean {
    return this.#options.endToEnd.isForUs(packet);
  }

  /** Takes over the carrier of such a stream; its packets come behind this. */
  accept(carrier: Carrier): void {
    const stream = new IncomingStream(carrier, this);
    this.#streams.add(stream);
    void carrier.closed.then(() => this.#forgetStream(stream));
  }

  /** Forgets those who are not done, and tells those who may think that they are; the others live on. */
  close(): void {
    this.#closed = true;
    for (const pipe of this.#unconfirmed) {
      this.#unconfirmed.delete(pipe);
      pipe.close();
    }
    for (const each of [...this.#halfOpen]) this.#forget(each);
    for (const stream of [...this.#streams]) stream.closeIfUnused();
    this.#timer?.cancel();
  }

  /** For the streams alone: a first packet, or a copy of one. */
  ask(packet: Uint8Array, stream: IncomingStream): void {
    if (this.#closed || !this.wants(packet)) return;
    const known = this.#ofStream(stream).find(({ first }) => equalBytes(first, packet));
    if (!this.#answers.take()) {
      this.refused++;
      return;
    }
    if (known !== undefined) return this.#repeat(known, known.responder.answer);
    try {
      const responder = this.#options.endToEnd.respond(packet);
      this.#makeRoom(stream);
      this.#halfOpen.add({
        first: packet,
        responder,
        stream,
        looks: 0,
        copies: 0,
      });
      this.#look();
      stream.send(responder.answer);
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      this.refused++;
    }
  }

  /** For the streams alone: what may prove who asked. */
  prove(packet: Uint8Array, stream: IncomingStream): void {
    const id = packetId(packet);
    const found = this.#ofStream(stream).find(({ responder }) => responder.id === id);
    const step = found?.responder.receive(packet);
    if (found === undefined || step === undefined) return;
    const { reply, established, refused } = step;
    if (established === undefined && refused === undefined) return this.#repeat(found, reply);
    stream.send(reply);
    if (established !== undefined) this.#establish(established, stream);
    if (refused !== undefined) {
      this.#options.log("warning", `Routed conduit refused: ${errorText(refused)}`);
    }
  }

  /** For the streams alone. */
  isWaitedFor(stream: IncomingStream): boolean {
    return this.#ofStream(stream).length > 0;
  }

  /** Who sends a copy has not heard us: not every way leads back. */
  #repeat(halfOpen: HalfOpen, packet: Uint8Array): void {
    if (++halfOpen.copies % ASKS_BEFORE_REROUTE === 0) halfOpen.stream.reroute();
    halfOpen.stream.send(packet);
  }

  /**
   * It is accepted when its other end has shown that it has got our verdict. One that never does ends
   * like any other that is silent.
   */
  #establish({ peer, cipher }: EndToEndEstablished, stream: IncomingStream): void {
    const { clock, local, accept, made } = this.#options;
    const pipe: RoutedPipe = new RoutedPipe({
      way: stream.way(cipher.id),
      cipher,
      clock,
      remote: `mesh:${peer.identity.name}`,
      local,
      onHeard: () => {
        if (!this.#unconfirmed.delete(pipe)) return;
        accept(new FramedConduit({ pipe, peer, clock, partialMsMax: PARTIAL_MS_MAX }));
      },
    });
    this.#unconfirmed.add(pipe);
    void pipe.done.then(() => this.#unconfirmed.delete(pipe));
    stream.add(cipher.id, pipe);
    made(pipe.done);
  }

  #makeRoom(stream: IncomingStream): void {
    const own = this.#ofStream(stream);
    const oldest = own.length >= HALF_OPEN_PER_STREAM_MAX
      ? own[0]
      : this.#halfOpen.size >= HALF_OPEN_MAX
      ? [...this.#halfOpen][0]
      : undefined;
    // The stream of the one that comes stays, even if it had only this one.
    if (oldest !== undefined) this.#forget(oldest, { staying: stream });
  }

  #ofStream(stream: IncomingStream): HalfOpen[] {
    return [...this.#halfOpen].filter((each) => each.stream === stream);
  }

  #forget(halfOpen: HalfOpen, options: { readonly staying?: IncomingStream } = {}): void {
    const { responder, stream } = halfOpen;
    this.#halfOpen.delete(halfOpen);
    responder[Symbol.dispose]();
    if (stream !== options.staying) stream.closeIfUnused();
  }

  #forgetStream(stream: IncomingStream): void {
    this.#streams.delete(stream);
    for (const each of this.#ofStream(stream)) this.#forget(each);
  }

  /** While there are some: those that had their time are forgotten. */
  #look(): void {
    this.#timer ??= this.#options.clock.after(HALF_OPEN_LOOK_MS, () => {
      this.#timer = undefined;
      for (const each of [...this.#halfOpen]) {
        if (++each.looks * HALF_OPEN_LOOK_MS > HALF_OPEN_MS_MAX) this.#forget(each);
      }
      if (this.#halfOpen.size > 0) this.#look();
    });
  }
}

/** One carrier from elsewhere, and the conduits that run over it. */
class IncomingStream {
  readonly #carrier: Carrier;
  readonly #arrivals: Arrivals;
  readonly #pipes = new Map<number, RoutedPipe>();

  constructor(carrier: Carrier, arrivals: Arrivals) {
    this.#carrier = carrier;
    this.#arrivals = arrivals;
    carrier.onPacket((packet) => this.#take(packet));
  }

  send(packet: Uint8Array): void {
    this.#carrier.send(packet, PRIORITY.normal).catch(() => {
      // The carrier is closed, which ends all that runs over it.
    });
  }

  reroute(): void {
    this.#carrier.reroute();
  }

  add(id: number, pipe: RoutedPipe): void {
    this.#pipes.set(id, pipe);
  }

  /** The carrier as one of its conduits has it: closing it ends that one alone. */
  way(id: number): ConstructorParameters<typeof RoutedPipe>[0]["way"] {
    const carrier = this.#carrier;
    return {
      packetBytesMax: carrier.packetBytesMax,
      get hasRoute() {
        return carrier.hasRoute;
      },
      closed: carrier.closed,
      send: (packet, priority) => carrier.send(packet, priority),
      reroute: () => carrier.reroute(),
      close: () => {
        this.#pipes.delete(id);
        this.closeIfUnused();
      },
    };
  }

  closeIfUnused(): void {
    if (this.#pipes.size > 0 || this.#arrivals.isWaitedFor(this)) return;
    this.#carrier.close("nobody uses it");
  }

  #take(packet: Uint8Array): void {
    const type = packetType(packet);
    if (type === undefined) return;
    if (type === PACKET.first) this.#arrivals.ask(packet, this);
    else if (type === PACKET.proof) this.#arrivals.prove(packet, this);
    else this.#pipes.get(packetId(packet))?.receive(packet);
  }
}
