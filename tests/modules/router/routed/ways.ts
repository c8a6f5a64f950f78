/**
 * Carriers in memory, and fronts that use them. Between both ends lie several paths, each of which can
 * die or be bad: lose, double, reorder, alter and cut packets, or have them looked at by a relay that
 * does what it likes. Nothing decides by time or chance but the clock and the dice it is given.
 */

import type { Clock, Conduit, EndToEndOptions, Self } from "../../../../core/mod.ts";
import {
  ConnectionError,
  EndToEnd,
  type Primitives,
  type Priority,
  type Random,
} from "../../../../core/mod.ts";
import type { StreamOrigin } from "../../../../modules/router/routed/answer_quota.ts";
import { RoutedFront } from "../../../../modules/router/routed/front.ts";
import type { Carrier } from "../../../../modules/shared/carrier.ts";
import type { Dice } from "../../../support/fuzz.ts";
import type { MeshKeys } from "../../../support/mesh_keys.ts";

/** Bytes that wait in one direction before a sender is told to wait. */
const WAITING_BYTES_MAX = 512 * 1024;

/** Chances in a thousand, for each packet. */
export interface Faults {
  readonly lose?: number;
  readonly double?: number;
  readonly alter?: number;
  readonly cut?: number;
  /** Delayed by up to this many milliseconds more, each by its own. */
  readonly jitterMs?: number;
}

/** A relay that sees every packet of a path and says what goes on instead, at either end. */
export type Relay = (
  packet: Uint8Array,
  towards: "acceptor" | "dialler",
) => readonly { readonly packet: Uint8Array; readonly towards: "acceptor" | "dialler" }[];

export interface Path extends Faults {
  /** One way; undefined: with the next turn. */
  readonly delayMs?: number;
  readonly relay?: Relay;
  /** It swallows everything. */
  dead?: boolean;
}

export interface WayOptions {
  readonly clock: Clock;
  readonly dice?: Dice;
  /** Those that can be taken, the first one first. @default a perfect one */
  readonly paths?: readonly Path[];
  /** @default 60 KiB */
  readonly packetBytesMax?: number;
}

/** Both ends of one stream. */
/** Who brings streams where that does not matter. */
export const SOMEBODY: StreamOrigin = { neighbour: "a neighbour", source: "a source" };

export class Ways {
  readonly dialler: MemoryCarrier;
  #acceptor: MemoryCarrier;
  #isCut = false;
  /** Packets that were put on the way. */
  sent = 0;
  readonly options: WayOptions;
  readonly paths: readonly Path[];

  constructor(options: WayOptions) {
    this.options = options;
    this.paths = options.paths ?? [{}];
    this.dialler = new MemoryCarrier(this, "acceptor");
    this.#acceptor = new MemoryCarrier(this, "dialler");
  }

  /** A new one when it was closed: whoever listens may take the stream again. */
  get acceptor(): MemoryCarrier {
    if (!this.#isCut && this.#acceptor.isOver) {
      const { onFirst } = this.#acceptor;
      this.#acceptor = new MemoryCarrier(this, "dialler");
      this.#acceptor.onFirst = onFirst;
    }
    return this.#acceptor;
  }

  /** Nobody hears anything any more. */
  cut(): void {
    this.dialler.close("cut");
    this.#isCut = true;
    this.#acceptor.close("cut");
  }

  end(which: "acceptor" | "dialler"): MemoryCarrier {
    return which === "acceptor" ? this.acceptor : this.dialler;
  }
}

export class MemoryCarrier implements Carrier {
  readonly packetBytesMax: number;
  readonly closed: Promise<string>;
  readonly #ways: Ways;
  readonly #towards: "acceptor" | "dialler";
  #run: ((packet: Uint8Array) => void) | undefined;
  #path = 0;
  #over = false;
  #resolveClosed: (text: string) => void = () => {};
  #queue: Uint8Array[] = [];
  #waiting = 0;
  #flushing = false;
  #wakes: (() => void)[] = [];
  reroutes = 0;
  /** Called with the first packet, while nobody has taken this end. */
  onFirst: ((packet: Uint8Array) => void) | undefined;

  constructor(ways: Ways, towards: "acceptor" | "dialler") {
    this.#ways = ways;
    this.#towards = towards;
    this.packetBytesMax = ways.options.packetBytesMax ?? 60 * 1024;
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
  }

  get isOver(): boolean {
    return this.#over;
  }

  get hasRoute(): boolean {
    return !this.#over && this.#ways.paths.length > 0;
  }

  async send(packet: Uint8Array, _priority: Priority): Promise<void> {
    if (this.#over) throw new ConnectionError("closed", "Carrier is closed");
    const path = this.#ways.paths[this.#path % Math.max(1, this.#ways.paths.length)];
    this.#ways.sent++;
    if (path === undefined || path.dead === true) return;
    const { relay } = path;
    if (relay === undefined) this.#carry(path, packet, this.#towards);
    else {
      for (const each of relay(packet.slice(), this.#towards)) {
        this.#carry(path, each.packet, each.towards);
      }
    }
    while (this.#waiting > WAITING_BYTES_MAX && !this.#over) {
      await new Promise<void>((resolve) => this.#wakes.push(resolve));
    }
  }

  onPacket(run: (packet: Uint8Array) => void): void {
    this.#run = run;
  }

  reroute(): void {
    this.reroutes++;
    this.#path++;
  }

  close(text: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#run = undefined;
    for (const wake of this.#wakes.splice(0)) wake();
    this.#resolveClosed(text);
  }

  deliver(packet: Uint8Array): void {
    if (this.#over) return;
    if (this.#run === undefined) this.onFirst?.(packet);
    this.#run?.(packet);
  }

  #carry(path: Path, packet: Uint8Array, towards: "acceptor" | "dialler"): void {
    const { dice, clock } = this.#ways.options;
    const happens = (chance = 0) => chance > 0 && dice !== undefined && dice.below(1_000) < chance;
    if (happens(path.lose)) return;
    for (let copies = happens(path.double) ? 2 : 1; copies > 0; copies--) {
      let copy = packet.slice();
      if (happens(path.alter)) copy[dice!.below(copy.length)]! ^= 1 << dice!.below(8);
      if (happens(path.cut)) copy = copy.slice(0, dice!.below(copy.length));
      const { delayMs, jitterMs = 0 } = path;
      if (delayMs === undefined) this.#enqueue(copy, towards);
      else {
        const more = jitterMs === 0 ? 0 : dice!.below(jitterMs);
        clock.after(delayMs + more, () => this.#ways.end(towards).deliver(copy));
      }
    }
  }

  #enqueue(packet: Uint8Array, towards: "acceptor" | "dialler"): void {
    if (towards !== this.#towards) return this.#ways.end(towards).deliver(packet);
    this.#queue.push(packet);
    this.#waiting += packet.length;
    if (!this.#flushing) void this.#flush();
  }

  async #flush(): Promise<void> {
    this.#flushing = true;
    while (this.#queue.length > 0) {
      await this.#ways.options.clock.yield();
      for (const packet of this.#queue.splice(0)) {
        this.#waiting -= packet.length;
        this.#ways.end(this.#towards).deliver(packet);
      }
      for (const wake of this.#wakes.splice(0)) wake();
    }
    this.#flushing = false;
  }
}

export interface PartiesOptions extends WayOptions {
  readonly keys: MeshKeys;
  /** What conduits use. @default as the keys do */
  readonly primitives?: Primitives;
  readonly random: Random;
  readonly dialler?: Self;
  readonly acceptor?: Self;
  readonly admit?: NonNullable<EndToEndOptions["admit"]>;
}

/** A dialler and an acceptor, each with a front of its own. */
export class Parties {
  readonly dialler: RoutedFront;
  readonly acceptor: RoutedFront;
  readonly logged: string[] = [];
  readonly ways: Ways[] = [];
  #listening = 0;

  constructor(options: PartiesOptions) {
    const { clock, keys, random, primitives = keys.primitives } = options;
    const trust = keys.trust();
    const near = options.dialler ?? keys.person({ name: "dialler" });
    const far = options.acceptor ?? keys.person({ name: "acceptor" });
    const front = (self: Self, open: () => Carrier, admit?: EndToEndOptions["admit"]) =>
      new RoutedFront({
        clock,
        log: (level, text) => this.logged.push(`${level}: ${text}`),
        endToEnd: new EndToEnd({
          context: () => ({ clock, random, primitives, trust, self }),
          ...(admit === undefined ? {} : { admit }),
        }),
        name: self.identity.name,
        find: (name) =>
          name === far.identity.name && this.#listening > 0 ? far.identity.keyId : undefined,
        open,
      });
    this.acceptor = front(far, () => {
      throw new Error("The acceptor does not dial");
    }, options.admit);
    this.dialler = front(near, () => {
      const ways = new Ways(options);
      ways.acceptor.onFirst = (packet) => {
        if (this.acceptor.wants(packet)) this.acceptor.accept(ways.acceptor, SOMEBODY);
      };
      this.ways.push(ways);
      return ways.dialler;
    });
  }

  /** As one front: dials as one and listens as the other. */
  get front(): {
    readonly scheme: string;
    dial: RoutedFront["dial"];
    listen: RoutedFront["listen"];
  } {
    return {
      scheme: "mesh",
      dial: (endpoint, options) => this.dialler.dial(endpoint, options),
      listen: async (endpoint, accept) => {
        const listener = await this.acceptor.listen(endpoint, accept);
        this.#listening++;
        let closed = false;
        return {
          endpoint: listener.endpoint,
          close: async () => {
            if (closed) return;
            closed = true;
            this.#listening--;
            await listener.close();
          },
        };
      },
    };
  }

  /** Both ends of a conduit, with nobody listening any more. */
  async connect(): Promise<{ readonly dialler: Conduit; readonly acceptor: Conduit }> {
    const accepted = Promise.withResolvers<Conduit>();
    const listener = await this.front.listen("mesh:acceptor", accepted.resolve);
    try {
      const dialler = await this.dialler.dial("mesh:acceptor");
      return { dialler, acceptor: await accepted.promise };
    } finally {
      await listener.close();
    }
  }

  cut(): void {
    for (const each of this.ways) each.cut();
  }

  /** Resolves when nothing is left running. */
  async settled(): Promise<void> {
    await Promise.all([this.dialler.settled(), this.acceptor.settled()]);
  }
}
