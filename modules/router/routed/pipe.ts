/**
 * The byte pipe of a routed conduit: reliable and in order over a carrier that loses, doubles,
 * reorders and alters packets, and whose relays may die or swallow. What is not acknowledged is sent
 * again, the same bytes; when nothing is acknowledged for a while another path is taken, and when
 * that has not helped for ROUTE_MS_MAX the pipe breaks with an error that says so.
 *
 *   open --close()--> lingering --both ends have said the last--> done
 *     |                   '--------LINGER_MS_MAX-------------------^
 *     '--no route, carrier closed, nonsense----------------> broken
 *
 * Time is counted by our own timers, not by the clock: a process that was itself stopped for long
 * does not judge the other end.
 */

import {
  type BytePipe,
  type Clock,
  ConnectionError,
  type EndToEndCipher,
  errorText,
  PACKET,
  packetId,
  packetType,
  PRIORITY,
  type Priority,
  ProtocolError,
  type Timer,
} from "../../../core/mod.ts";
import { Inbound } from "./inbound.ts";
import {
  ASKED_MS_MAX,
  ASKS_BEFORE_REROUTE,
  LINGER_MS_MAX,
  PROBE_MS,
  REKEY_MS,
  RESENDS_BEFORE_REROUTE,
  ROOM_PROBE_MS,
  ROUTE_MS_MAX,
  SWIFT_BYTES_MAX,
} from "./limits.ts";
import { type Flight, Outbound } from "./outbound.ts";
import { decodeReport } from "./report.ts";
import { Reporter } from "./reporter.ts";
import { RoundTrip } from "./round_trip.ts";
import type { Way } from "./way.ts";

export interface RoutedPipeOptions {
  readonly way: Way;
  /** The pipe disposes it. */
  readonly cipher: EndToEndCipher;
  readonly clock: Clock;
  /** The other end, for people: `mesh:NAME`. */
  readonly remote: string;
  readonly local: string;
  /** Called once, as soon as the other end has shown that it has the session. */
  readonly onHeard?: () => void;
  /** Show the other end that we have it, until it answers. @default false */
  readonly asks?: boolean;
}

interface Reading {
  readonly into: Uint8Array;
  readonly resolve: (bytes: number | null) => void;
  readonly reject: (error: Error) => void;
}

export class RoutedPipe implements BytePipe {
  readonly remote: string;
  readonly local: string;
  /** Resolves when nothing of it is left running. */
  readonly done: Promise<void>;
  readonly #way: Way;
  readonly #cipher: EndToEndCipher;
  readonly #clock: Clock;
  readonly #roundTrip = new RoundTrip();
  readonly #outbound: Outbound;
  readonly #inbound: Inbound;
  readonly #reporter: Reporter;
  #onHeard: (() => void) | undefined;
  #state: "open" | "lingering" | "done" = "open";
  #saidEnd = false;
  #error: ConnectionError | ProtocolError | undefined;
  #reading: Reading | undefined;
  #wakeWriter: (() => void) | undefined;
  /** Bytes that a writer has no room for at the other end. */
  #shut = false;
  #resending = false;
  #priority: Priority = PRIORITY.normal;
  #keyedAt: number;
  #timer: Timer | undefined;
  #timerMs = 0;
  #linger: Timer | undefined;
  /** Monotonic ms of the last news: something new was acknowledged, or heard while nothing is due. */
  #newsAt: number;
  /** As counted by our timers. */
  #silentMs = 0;
  #isAsking = false;
  /** How often in a row we were asked, and when last. */
  #asked = 0;
  #askedAt = 0;
  #resolveDone: () => void = () => {};

  constructor(options: RoutedPipeOptions) {
    const { way, cipher, clock } = options;
    this.remote = options.remote;
    this.local = options.local;
    this.#way = way;
    this.#cipher = cipher;
    this.#clock = clock;
    this.#keyedAt = this.#newsAt = clock.monotonic();
    this.done = new Promise((resolve) => this.#resolveDone = resolve);
    const { packetBytesMax } = way;
    this.#outbound = new Outbound({ cipher, roundTrip: this.#roundTrip, packetBytesMax });
    this.#inbound = new Inbound(cipher);
    this.#reporter = new Reporter({ way, cipher, clock, inbound: this.#inbound });
    void way.closed.then((text) =>
      this.#break(new ConnectionError("closed", `Way to ${this.remote} is closed: ${text}`))
    );
    this.#onHeard = options.onHeard;
    if (options.asks) this.ask();
    else this.#arm(PROBE_MS);
  }

  /** Wants a sign of life, until there is one. */
  ask(): void {
    this.#isAsking = true;
    this.#reporter.send({ asks: true });
    this.#arm(this.#roundTrip.resendMs);
  }

  async read(into: Uint8Array): Promise<number | null> {
    const bytes = this.#inbound.read(into);
    if (bytes > 0) {
      this.#reporter.roomMayHaveGrown();
      return bytes;
    }
    if (this.#error !== undefined) throw this.#error;
    if (this.#inbound.ended || this.#state !== "open") return null;
    return await new Promise((resolve, reject) => this.#reading = { into, resolve, reject });
  }

  async write(bytes: Uint8Array): Promise<void> {
    const { dataBytesMax } = this.#outbound;
    for (let at = 0; at < bytes.length;) {
      const plain = bytes.subarray(at, at + dataBytesMax);
      at += plain.length;
      await this.#send(await this.#seal(plain));
    }
    this.#refuseClosed();
  }

  closeWrite(): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    this.#sayEnd();
    return Promise.resolve();
  }

  /** What was said is still carried to the other end, which can tell a goodbye from its lack. */
  reset(): void {
    this.close();
  }

  close(): void {
    if (this.#state !== "open") return;
    this.#sayEnd();
    this.#state = "lingering";
    this.#inbound.discard();
    this.#reading?.resolve(null);
    this.#reading = undefined;
    this.#wake();
    this.#linger = this.#clock.after(LINGER_MS_MAX, () => this.#finish("closed"));
    this.#finishIfAllIsSaid();
  }

  /**
   * Any packet of the way; it is ours from then on. Never throws. `onFresh` is called if it is the
   * other end's and was not here before, and before anything is sent because of it.
   */
  receive(packet: Uint8Array, onFresh?: () => void): void {
    const type = packetType(packet);
    if (this.#state === "done" || type === undefined || type < PACKET.data) return;
    if (packetId(packet) !== this.#cipher.id) return;
    try {
      if (type === PACKET.report) this.#takeReport(packet, onFresh);
      else this.#takeData(packet, onFresh);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#break(error);
    }
  }

  /** Nothing is written after it. */
  #sayEnd(): void {
    if (this.#saidEnd || this.#state !== "open") return;
    this.#saidEnd = true;
    this.#send(this.#outbound.sealEnd(this.#clock.monotonic())).catch(() => {
      // The way is closed, which ends this by itself.
    });
  }

  #takeData(packet: Uint8Array, onFresh?: () => void): void {
    const { length } = packet;
    const arrival = this.#inbound.take(packet);
    if (arrival === "none") return;
    if (arrival !== "again") {
      onFresh?.();
      this.#heard();
    }
    this.#reporter.arrived(arrival, length);
    if (arrival !== "next") return;
    this.#serveReader();
    this.#finishIfAllIsSaid();
  }

  #serveReader(): void {
    const reading = this.#reading;
    if (reading === undefined) return;
    const bytes = this.#inbound.read(reading.into);
    if (bytes === 0 && !this.#inbound.ended) return;
    this.#reading = undefined;
    reading.resolve(bytes === 0 ? null : bytes);
    this.#reporter.roomMayHaveGrown();
  }

  #takeReport(packet: Uint8Array, onFresh?: () => void): void {
    const plain = this.#cipher.openReport(packet);
    if (plain === undefined) return;
    onFresh?.();
    const report = decodeReport(plain);
    const now = this.#clock.monotonic();
    this.#heard();
    if (this.#outbound.acknowledge(report, now)) this.#news();
    if (report.asks) this.#answer(now);
    else this.#asked = 0;
    this.#resend();
    this.#wake();
    this.#finishIfAllIsSaid();
  }

  /** Who asks again has not heard our answer: not every way leads back. */
  #answer(now: number): void {
    this.#asked = now - this.#askedAt < ASKED_MS_MAX ? this.#asked + 1 : 1;
    this.#askedAt = now;
    if (this.#asked % ASKS_BEFORE_REROUTE === 0) this.#way.reroute();
    this.#reporter.send();
  }

  /** The other end lives. That is news only while it owes us nothing. */
  #heard(): void {
    this.#isAsking = false;
    this.#onHeard?.();
    this.#onHeard = undefined;
    if (this.#outbound.isQuiet) this.#news();
  }

  #news(): void {
    this.#newsAt = this.#clock.monotonic();
    this.#silentMs = 0;
  }

  /**
   * Waits until the other end and the way can take it. That it may be sealed is found and done in one
   * step: whatever is waited for, the pipe may be over behind it, and its keys gone.
   */
  async #seal(plain: Uint8Array): Promise<Flight> {
    for (;;) {
      this.#refuseClosed();
      if (this.#outbound.mayTake(plain.length)) {
        this.#shut = false;
        const now = this.#clock.monotonic();
        // By time; by number the cipher does it.
        if (now - this.#keyedAt < REKEY_MS) return this.#outbound.seal(plain, now);
        this.#keyedAt = now;
        await this.#send(this.#outbound.sealNextKey(now));
        continue;
      }
      this.#shut = this.#outbound.isShut(plain.length);
      if (this.#shut) this.#arm(ROOM_PROBE_MS);
      await new Promise<void>((resolve) => this.#wakeWriter = resolve);
    }
  }

  /** Reorders nothing: what goes first is never of lower priority than what follows at once. */
  async #send(flight: Flight): Promise<void> {
    const { heldBytes } = this.#outbound;
    if (heldBytes <= flight.bytes) this.#priority = PRIORITY.normal;
    if (heldBytes > SWIFT_BYTES_MAX) this.#priority = PRIORITY.bulk;
    if (heldBytes <= flight.bytes) this.#newsAt = this.#clock.monotonic();
    this.#arm(this.#roundTrip.resendMs);
    await this.#way.send(flight.packet, this.#priority);
  }

  /** Sends again what is lost, as far as the way can take it. Only one runs at a time. */
  #resend(): void {
    if (this.#resending || this.#outbound.lost() === undefined) return;
    this.#resending = true;
    const run = async () => {
      for (
        let flight = this.#outbound.lost();
        flight !== undefined;
        flight = this.#outbound.lost()
      ) {
        this.#outbound.again(flight, this.#clock.monotonic());
        await this.#way.send(flight.packet, this.#priority);
      }
    };
    run().catch(() => {
      // The way is closed, which ends this by itself.
    }).finally(() => this.#resending = false);
  }

  /** The one timer: runs out at least this soon. */
  #arm(ms: number): void {
    if (this.#state === "done" || (this.#timer !== undefined && this.#timerMs <= ms)) return;
    this.#timer?.cancel();
    this.#timerMs = ms;
    this.#timer = this.#clock.after(ms, this.#tick);
  }

  readonly #tick = (): void => {
    const passed = this.#timerMs;
    this.#timer = undefined;
    const isDue = !this.#outbound.isQuiet || this.#isAsking;
    const wanted = isDue ? this.#roundTrip.resendMs : this.#shut ? ROOM_PROBE_MS : PROBE_MS;
    const quietMs = this.#clock.monotonic() - this.#newsAt;
    if (quietMs < wanted) return this.#arm(Math.ceil(wanted - quietMs));
    if (isDue) this.#silentMs += passed;
    if (this.#silentMs >= ROUTE_MS_MAX) return this.#break(this.#lostError());
    this.#expire();
    // What is waited for now was asked just now.
    this.#arm(this.#roundTrip.resendMs);
  };

  /** Nothing was heard in time: asks again, and by another path when that has not helped. */
  #expire(): void {
    if (this.#way.hasRoute && (!this.#outbound.isQuiet || this.#isAsking)) {
      this.#roundTrip.expired();
      if (this.#roundTrip.expiries % RESENDS_BEFORE_REROUTE === 0) this.#way.reroute();
    }
    this.#isAsking = true;
    this.#reporter.send({ asks: true });
    if (this.#outbound.isQuiet) return;
    this.#outbound.expire();
    this.#resend();
  }

  #lostError(): ConnectionError {
    const seconds = ROUTE_MS_MAX / 1_000;
    const text = this.#way.hasRoute
      ? `${this.remote} has acknowledged nothing for ${seconds} s, by any route`
      : `There was no route to ${this.remote} for ${seconds} s`;
    return new ConnectionError("no-route", text);
  }

  /** The other end waits for our last report, if it is not done yet. */
  #finishIfAllIsSaid(): void {
    if (this.#state !== "lingering" || !this.#outbound.isQuiet || !this.#inbound.ended) return;
    void this.#reporter.sendLast().then(() => this.#finish("closed"));
  }

  #break(error: ConnectionError | ProtocolError): void {
    if (this.#state === "done") return;
    this.#error = error;
    this.#reading?.reject(error);
    this.#reading = undefined;
    this.#finish(errorText(error));
  }

  #finish(text: string): void {
    if (this.#state === "done") return;
    this.#state = "done";
    this.#timer?.cancel();
    this.#linger?.cancel();
    this.#reporter.dispose();
    this.#outbound.clear();
    this.#wake();
    this.#way.close(text);
    this.#cipher[Symbol.dispose]();
    this.#resolveDone();
  }

  #wake(): void {
    const wake = this.#wakeWriter;
    this.#wakeWriter = undefined;
    wake?.();
  }

  #refuseClosed(): void {
    if (this.#error !== undefined) throw this.#error;
    if (this.#state !== "open" || this.#saidEnd) {
      throw new ConnectionError("closed", `Pipe to ${this.remote} is closed`);
    }
  }
}
