/**
 * Handshakes that others begin with us. Whoever is no friend may ask for them too, and packets may
 * claim to be of anybody, so what one costs before it has proven anything is bounded: so many
 * answers a second, shared out to those who ask, so many that wait, and the oldest gives way to the newest: who only asks keeps
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
  type Identity,
  type Log,
  PACKET,
  packetId,
  packetType,
  type Timer,
} from "../../../core/mod.ts";
import type { Carrier } from "../../shared/carrier.ts";
import {
  ASKS_BEFORE_REROUTE,
  HALF_OPEN_LOOK_MS,
  HALF_OPEN_MAX,
  HALF_OPEN_MS_MAX,
  HALF_OPEN_PER_STREAM_MAX,
  PARTIAL_MS_MAX,
  PROOFS_TRIED_PER_LOOK_MAX,
  SESSIONS_MAX,
  SESSIONS_PER_PEER_MAX,
} from "./limits.ts";
import { AnswerQuota, type StreamOrigin } from "./answer_quota.ts";
import { IncomingStream, StreamWay } from "./incoming_stream.ts";
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
  /** Proofs that were tried since the last look. */
  tries: number;
}

/** By which stream a packet came, and whose that is. */
interface From {
  readonly stream: IncomingStream;
  readonly origin: StreamOrigin;
}

interface Session {
  readonly pipe: RoutedPipe;
  readonly way: StreamWay;
  /** Of its other end. */
  readonly keyId: string;
}

export class Arrivals {
  readonly #options: ArrivalsOptions;
  readonly #answers: AnswerQuota;
  /** Oldest first. */
  readonly #halfOpen = new Set<HalfOpen>();
  readonly #streams = new Set<IncomingStream>();
  /** Conduits, by the name of their handshake. */
  readonly #sessions = new Map<number, Session>();
  /** Whose other end has not shown yet that it has got our verdict. */
  readonly #unconfirmed = new Set<RoutedPipe>();
  #timer: Timer | undefined;
  #closed = false;
  /** Packets that asked and got no answer. */
  refused = 0;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
    this.#answers = new AnswerQuota(options.clock);
  }

  /** Handshakes that wait for their other end. */
  get waiting(): number {
    return this.#halfOpen.size;
  }

  /** Whether a stream that nobody knows asks us for a handshake, or may bring a conduit of ours. */
  wants(packet: Uint8Array): boolean {
    const type = packetType(packet);
    if (type === PACKET.first) return !this.#closed && this.#options.endToEnd.isForUs(packet);
    return type !== undefined && type >= PACKET.data && this.#sessions.has(packetId(packet));
  }

  /** Takes over the carrier of such a stream; its packets come behind this. */
  accept(carrier: Carrier, origin: StreamOrigin): void {
    const stream: IncomingStream = new IncomingStream(
      carrier,
      () => this.#ofStream(stream).length > 0,
    );
    this.#streams.add(stream);
    carrier.onPacket((packet) => this.#take(packet, { stream, origin }));
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

  #take(packet: Uint8Array, from: From): void {
    const { stream } = from;
    const type = packetType(packet);
    if (type === PACKET.first) this.#ask(packet, from);
    else if (type === PACKET.proof) this.#prove(packet, stream);
    else if (type !== undefined) {
      const session = this.#sessions.get(packetId(packet));
      // Whoever can seal is who has moved; nobody else can make it.
      session?.pipe.receive(packet, () => session.way.moveTo(stream));
    }
    stream.closeIfUnused();
  }

  /** A first packet, or a copy of one. */
  #ask(packet: Uint8Array, { stream, origin }: From): void {
    if (!this.wants(packet)) return;
    const known = [...this.#halfOpen].find(({ first }) => equalBytes(first, packet));
    if (!this.#answers.take(origin)) {
      this.refused++;
      return;
    }
    if (known !== undefined) return this.#repeat(known, known.responder.answer, stream);
    try {
      const responder = this.#options.endToEnd.respond(packet, {
        admit: (peer) => this.#admit(peer.identity),
      });
      this.#makeRoom(stream);
      this.#halfOpen.add({
        first: packet,
        responder,
        stream,
        looks: 0,
        copies: 0,
        tries: 0,
      });
      this.#look();
      stream.send(responder.answer);
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      this.refused++;
    }
  }

  /** What may prove who asked. */
  #prove(packet: Uint8Array, stream: IncomingStream): void {
    const id = packetId(packet);
    const found = [...this.#halfOpen].find(({ responder }) => responder.id === id);
    if (found === undefined || ++found.tries > PROOFS_TRIED_PER_LOOK_MAX) return;
    const step = found.responder.receive(packet);
    if (step === undefined) return;
    const { reply, established, refused } = step;
    if (established === undefined && refused === undefined) {
      return this.#repeat(found, reply, stream);
    }
    stream.send(reply);
    if (established !== undefined) this.#establish(established, stream);
    if (refused !== undefined) {
      this.#options.log("warning", `Routed conduit refused: ${errorText(refused)}`);
    }
  }

  /** Who sends a copy has not heard us: not every way leads back. */
  #repeat(halfOpen: HalfOpen, packet: Uint8Array, stream: IncomingStream): void {
    if (++halfOpen.copies % ASKS_BEFORE_REROUTE === 0) stream.carrier.reroute();
    stream.send(packet);
  }

  /**
   * It is accepted when its other end has shown that it has got our verdict. One that never does ends
   * like any other that is silent.
   */
  #establish({ peer, cipher }: EndToEndEstablished, stream: IncomingStream): void {
    const { clock, local, accept, made } = this.#options;
    const way = new StreamWay(stream);
    const pipe: RoutedPipe = new RoutedPipe({
      way,
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
    this.#sessions.set(cipher.id, { pipe, way, keyId: peer.identity.keyId });
    void pipe.done.then(() => {
      this.#unconfirmed.delete(pipe);
      this.#sessions.delete(cipher.id);
    });
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

  /** A key that may be here all the same may not be here without end. */
  #admit({ keyId, name }: Identity): void {
    let count = 0;
    for (const session of this.#sessions.values()) if (session.keyId === keyId) count++;
    if (count >= SESSIONS_PER_PEER_MAX) {
      throw new AuthenticationError(
        "quota",
        `"${name}" has ${count} routed conduits to us already`,
      );
    }
    if (this.#sessions.size < SESSIONS_MAX) return;
    throw new AuthenticationError("quota", `We have ${SESSIONS_MAX} routed conduits already`);
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
        each.tries = 0;
        if (++each.looks * HALF_OPEN_LOOK_MS > HALF_OPEN_MS_MAX) this.#forget(each);
      }
      if (this.#halfOpen.size > 0) this.#look();
    });
  }
}
