/**
 * The carrier of a program that is no node: a daemon to which it is connected carries its packets.
 * When that daemon dies or answers no more, the next one does; the packets of the conduit above are
 * the same, and its other end follows them.
 */

import {
  type Caller,
  type Clock,
  ConnectionError,
  errorText,
  MinimeError,
  type Priority,
} from "../../../core/mod.ts";
import { openCallCarrier } from "../../shared/call_carrier.ts";
import { type Carrier, CARRIER_PACKET_BYTES_MAX, type OpenArgs } from "../../shared/carrier.ts";
import {
  ENTER_AGAIN_MS,
  ENTRY_DEATH_MS,
  REROUTES_APART_MS_MAX,
  REROUTES_BEFORE_ENTRY,
  ROUTE_MS_MAX,
} from "./limits.ts";

/** A daemon that carries for us, and the connection to it. */
export interface Entry {
  readonly name: string;
  readonly caller: Caller;
  /** Resolves when the connection is over. */
  readonly gone: Promise<unknown>;
  close(): Promise<void>;
}

export interface RoamingOptions {
  readonly clock: Clock;
  readonly args: OpenArgs;
  /** Connects to a daemon that can be reached now, unless the signal aborts. */
  readonly enter: (signal: AbortSignal) => Promise<Entry>;
}

export class RoamingCarrier implements Carrier {
  readonly packetBytesMax = CARRIER_PACKET_BYTES_MAX;
  readonly closed: Promise<string>;
  /** Called after each change of the entry. */
  onMoved: () => void = () => {};
  readonly #options: RoamingOptions;
  #entry: Entry;
  #inner: Carrier | undefined;
  /** In a row, and monotonic ms of the last one. What comes says nothing: the entry may have made it. */
  #reroutes = 0;
  #reroutedAt = -Infinity;
  #run: ((packet: Uint8Array) => void) | undefined;
  #over = false;
  #isTrying = false;
  readonly #stopping = new AbortController();
  /** Connections that are being made and closed. */
  readonly #underWay = new Set<Promise<unknown>>();
  #resolveClosed: (text: string) => void = () => {};

  constructor(first: Entry, options: RoamingOptions) {
    this.#options = options;
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
    this.#entry = first;
    this.#use(first);
  }

  /** Name of the daemon that carries now, or did last. */
  get entry(): string {
    return this.#entry.name;
  }

  get hasRoute(): boolean {
    return this.#inner?.hasRoute ?? false;
  }

  /** While there is no entry, or one is on its way out, what is sent is lost, as on any way. */
  async send(packet: Uint8Array, priority: Priority): Promise<void> {
    if (this.#over) throw new ConnectionError("closed", "Carrier is closed");
    try {
      await this.#inner?.send(packet, priority);
    } catch (error) {
      if (this.#over || !(error instanceof MinimeError)) throw error;
    }
  }

  onPacket(run: (packet: Uint8Array) => void): void {
    this.#run = run;
  }

  /** Where nothing comes back by any path the entry itself may be the one that swallows. */
  reroute(): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#reroutedAt > REROUTES_APART_MS_MAX) this.#reroutes = 0;
    this.#reroutedAt = now;
    if (++this.#reroutes < REROUTES_BEFORE_ENTRY) this.#inner?.reroute();
    else if (this.#inner !== undefined) this.#follow(this.#tryAnother(this.#inner));
  }

  close(text: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#run = undefined;
    this.#stopping.abort();
    this.#inner?.close(text);
    this.#inner = undefined;
    this.#leave(this.#entry);
    this.#resolveClosed(text);
  }

  /** Resolves when no connection is left and none is being made, after all is closed. */
  async left(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #use(entry: Entry): void {
    const inner = openCallCarrier(entry.caller, this.#options.args);
    this.#entry = entry;
    this.#inner = inner;
    this.#reroutes = 0;
    inner.onPacket((packet) => this.#run?.(packet));
    void inner.closed.then((text) => this.#follow(this.#onClosed(inner, text)));
  }

  /** A daemon that is there and does not want to carry is not the same as one that is gone. */
  async #onClosed(inner: Carrier, text: string): Promise<void> {
    const { clock } = this.#options;
    const gone = this.#entry.gone.then(() => true);
    const { signal } = this.#stopping;
    const patience = clock.sleep(ENTRY_DEATH_MS, { signal }).then(() => false, () => false);
    const isGone = await Promise.race([gone, patience]);
    if (this.#over || inner !== this.#inner) return;
    if (isGone) await this.#enterAgain(text);
    else this.close(text);
  }

  /** The entry lives and nothing comes back: it is left only for another one, or all would be lost. */
  async #tryAnother(inner: Carrier): Promise<void> {
    if (this.#isTrying) return;
    this.#isTrying = true;
    try {
      const entry = await this.#options.enter(this.#stopping.signal);
      if (this.#over || inner !== this.#inner) return this.#leave(entry);
      const left = this.#entry;
      this.#use(entry);
      inner.close("it does not answer");
      this.#leave(left);
      this.onMoved();
    } catch (error) {
      if (this.#over) return;
      if (!(error instanceof MinimeError)) throw error;
      // Nobody else can be reached, so the mesh may be at fault and not the entry: it goes on.
      this.#reroutes = 0;
      if (inner === this.#inner) inner.reroute();
    } finally {
      this.#isTrying = false;
    }
  }

  async #enterAgain(why: string): Promise<void> {
    const { clock, enter } = this.#options;
    this.#inner?.close(why);
    this.#inner = undefined;
    this.#leave(this.#entry);
    const { signal } = this.#stopping;
    const until = clock.monotonic() + ROUTE_MS_MAX;
    for (;;) {
      try {
        const entry = await enter(signal);
        if (this.#over) return this.#leave(entry);
        this.#use(entry);
        return this.onMoved();
      } catch (error) {
        if (this.#over) return;
        if (clock.monotonic() >= until) return this.close(errorText(error));
        await clock.sleep(ENTER_AGAIN_MS, { signal }).catch(() => {
          // It is over, which the next look finds.
        });
      }
    }
  }

  #leave(entry: Entry): void {
    this.#follow(entry.close());
  }

  /** What it rejects with is a bug, which `left` tells. */
  #follow(promise: Promise<unknown>): void {
    const followed = promise.finally(() => this.#underWay.delete(followed));
    this.#underWay.add(followed);
  }
}
