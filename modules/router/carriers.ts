/**
 * The carriers of this daemon, by stream and far end. Packets of a stream that nobody here knows are
 * offered to whoever accepts streams; what it does not want costs nothing, and is dropped.
 */

import { CallError, type Clock, type Random, toHex } from "../../core/mod.ts";
import type { Carrier, RouteClass } from "../shared/carrier.ts";
import {
  ACCEPTED_CARRIERS_MAX,
  ACCEPTED_PER_NEIGHBOUR_MAX,
  ACCEPTED_PER_SOURCE_MAX,
  CARRIERS_MAX,
} from "./limits.ts";
import { Account } from "./hop_queue.ts";
import type { StreamOrigin } from "./routed/answer_quota.ts";
import { bodyOf, nodeAt, type Packet, STREAM_ID_BYTES, streamBytesOf, streamOf } from "./packet.ts";
import { RoutedCarrier, type RoutedCarrierOptions } from "./routed_carrier.ts";
import type { RefusedPacket } from "./transit.ts";

/** Whether the first packet of an unknown stream is worth a carrier. Must cost next to nothing. */
export interface Acceptor {
  wants(packet: Uint8Array): boolean;
  /** Takes it over; its first packet is delivered behind this. */
  accept(carrier: Carrier, origin: StreamOrigin): void;
}

/** What carriers need of the router, each for its own target and class. */
export type CarrierWorld =
  & Pick<RoutedCarrierOptions, "holds" | "lifeOf" | "transmit" | "onTrouble">
  & {
    readonly clock: Clock;
    readonly random: Random;
    readonly plan: (
      question: { readonly to: string; readonly class: RouteClass },
      ...avoided: Parameters<RoutedCarrierOptions["plan"]>
    ) => readonly string[] | undefined;
  };

export class Carriers {
  readonly #world: CarrierWorld;
  /** By stream and far end. */
  readonly #carriers = new Map<string, RoutedCarrier>();
  readonly #byStream = new Map<string, RoutedCarrier>();
  /** By the neighbour that brought the first packet, and by neighbour and source. */
  readonly #accepted = new Account();
  #acceptedCount = 0;
  #acceptor: Acceptor | undefined;
  /** Data of streams that nobody here knows. */
  strays = 0;

  constructor(world: CarrierWorld) {
    this.#world = world;
  }

  get size(): number {
    return this.#carriers.size;
  }

  set acceptor(acceptor: Acceptor) {
    this.#acceptor = acceptor;
  }

  /** Throws CallError "busy" when there are too many. */
  open(target: string, options: { readonly class: RouteClass }): RoutedCarrier {
    if (this.#carriers.size >= CARRIERS_MAX) {
      throw new CallError("busy", `${CARRIERS_MAX} routed streams are open already`);
    }
    const stream = this.#world.random.bytes(STREAM_ID_BYTES);
    return this.#add({ target, class: options.class, stream }, () => {});
  }

  /** Data for us. Never throws. */
  receive(packet: Packet, from: string): void {
    const stream = streamOf(packet);
    const carrier = this.#carriers.get(keyOf(stream, from)) ?? this.#accept(packet, from);
    if (carrier === undefined) this.strays++;
    else carrier.receive(packet);
  }

  refused(refused: RefusedPacket): void {
    this.#byStream.get(refused.stream)?.refused(refused);
  }

  meshChanged(): void {
    // A carrier may close itself.
    for (const carrier of [...this.#carriers.values()]) carrier.meshChanged();
  }

  close(text: string): void {
    for (const carrier of [...this.#carriers.values()]) carrier.close(text);
  }

  #accept(packet: Packet, from: string): RoutedCarrier | undefined {
    const acceptor = this.#acceptor;
    if (acceptor === undefined || !acceptor.wants(bodyOf(packet))) return undefined;
    if (this.#carriers.size >= CARRIERS_MAX || this.#acceptedCount >= ACCEPTED_CARRIERS_MAX) {
      return undefined;
    }
    // The source is only claimed, the neighbour that brought it is known: nobody uses up another's.
    const inlet = nodeAt(packet, packet.hops - 1);
    const source = `${inlet} ${from}`;
    if (this.#accepted.of(inlet) >= ACCEPTED_PER_NEIGHBOUR_MAX) return undefined;
    if (this.#accepted.of(source) >= ACCEPTED_PER_SOURCE_MAX) return undefined;
    const count = (by: 1 | -1) => {
      this.#accepted.add(inlet, by);
      this.#accepted.add(source, by);
      this.#acceptedCount += by;
    };
    count(1);
    const carrier = this.#add({
      target: from,
      class: packet.class,
      stream: streamBytesOf(packet).slice(),
      first: packet,
    }, () => count(-1));
    acceptor.accept(carrier, { neighbour: inlet, source: from });
    return carrier;
  }

  #add(
    options: Pick<RoutedCarrierOptions, "target" | "class" | "stream" | "first">,
    onClosed: () => void,
  ): RoutedCarrier {
    const { target, class: routeClass } = options;
    const stream = toHex(options.stream);
    const key = keyOf(stream, target);
    const carrier = new RoutedCarrier({
      ...this.#world,
      ...options,
      plan: (avoided) => this.#world.plan({ to: target, class: routeClass }, avoided),
      onClosed: () => {
        this.#carriers.delete(key);
        if (this.#byStream.get(stream) === carrier) this.#byStream.delete(stream);
        onClosed();
      },
    });
    this.#carriers.set(key, carrier);
    // Who knows the id of a stream of ours must not get what is said of it.
    if (!this.#byStream.has(stream)) this.#byStream.set(stream, carrier);
    return carrier;
  }
}

function keyOf(stream: string, farEnd: string): string {
  return `${stream} ${farEnd}`;
}
