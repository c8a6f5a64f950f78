/**
 * A carrier that somebody else began, and the ways of conduits over it. A conduit is not bound to one:
 * when its other end comes by another stream (a program whose daemon died), its way moves there.
 */

import { PRIORITY } from "../../../core/mod.ts";
import type { Carrier } from "../../shared/carrier.ts";
import type { Way } from "./way.ts";

export class IncomingStream {
  readonly carrier: Carrier;
  readonly #isWaitedFor: () => boolean;
  readonly #ways = new Set<StreamWay>();
  #over: string | undefined;

  /** `isWaitedFor`: somebody besides the ways needs it. */
  constructor(carrier: Carrier, isWaitedFor: () => boolean) {
    this.carrier = carrier;
    this.#isWaitedFor = isWaitedFor;
    // Once, not for each way: ways come and go as their other ends please.
    void carrier.closed.then((text) => {
      this.#over = text;
      for (const way of [...this.#ways]) way.end(this, text);
    });
  }

  send(packet: Uint8Array): void {
    this.carrier.send(packet, PRIORITY.normal).catch(() => {
      // The carrier is closed, which ends all that runs over it.
    });
  }

  add(way: StreamWay): void {
    this.#ways.add(way);
    if (this.#over !== undefined) way.end(this, this.#over);
  }

  remove(way: StreamWay): void {
    this.#ways.delete(way);
    this.closeIfUnused();
  }

  closeIfUnused(): void {
    if (this.#ways.size === 0 && !this.#isWaitedFor()) this.carrier.close("nobody uses it");
  }
}

/** The way of one conduit: closing it leaves the stream to the others. */
export class StreamWay implements Way {
  readonly packetBytesMax: number;
  readonly closed: Promise<string>;
  #stream: IncomingStream;
  #resolveClosed: (text: string) => void = () => {};

  constructor(stream: IncomingStream) {
    this.#stream = stream;
    this.packetBytesMax = stream.carrier.packetBytesMax;
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
    stream.add(this);
  }

  get hasRoute(): boolean {
    return this.#stream.carrier.hasRoute;
  }

  send(...args: Parameters<Carrier["send"]>): Promise<void> {
    return this.#stream.carrier.send(...args);
  }

  reroute(): void {
    this.#stream.carrier.reroute();
  }

  /** The other end is there now. */
  moveTo(stream: IncomingStream): void {
    if (stream === this.#stream) return;
    const before = this.#stream;
    this.#stream = stream;
    stream.add(this);
    before.remove(this);
  }

  /** A stream is over; that matters if it is this one. */
  end(stream: IncomingStream, text: string): void {
    if (stream === this.#stream) this.#resolveClosed(text);
  }

  close(): void {
    this.#stream.remove(this);
  }
}
