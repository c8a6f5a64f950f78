/**
 * The carrier of one stream between this daemon and another node: writes the path into each packet,
 * holds back while the way is full, and takes the next path when a hop failed or nothing seems to
 * arrive. Who began the stream chooses the path; the other end answers along its reverse, until that
 * does not seem to work and it chooses for itself.
 */

import {
  type Clock,
  ConnectionError,
  PRIORITY,
  type Priority,
  type Random,
} from "../../core/mod.ts";
import { type Carrier, CARRIER_PACKET_BYTES_MAX, type RouteClass } from "../shared/carrier.ts";
import type { Edge } from "../shared/mesh_view.ts";
import {
  BUSY_PAUSE_MS_MAX,
  BUSY_PAUSE_MS_MIN,
  CARRIER_WAITING_BYTES_MAX,
  NEWS_MS_MAX,
  QUEUED_PACKET_BYTES,
  REFUSED_PAUSE_MS_MAX,
  REFUSED_PAUSE_MS_MIN,
  REPLAN_MS,
} from "./limits.ts";
import {
  bodyOf,
  isReverse,
  type Packet,
  PACKET_KIND,
  pathOf,
  REFUSAL,
  refusedAt,
  writeHeader,
  writePacket,
} from "./packet.ts";
import type { RefusedPacket } from "./transit.ts";

/** What a path may not use besides what failed for everybody a moment ago. */
export interface Avoided {
  readonly nodes: ReadonlySet<string>;
  readonly edges: readonly Edge[];
}

export interface RoutedCarrierOptions {
  readonly clock: Pick<Clock, "monotonic" | "sleep">;
  readonly random: Random;
  readonly target: string;
  readonly class: RouteClass;
  /** 8 bytes. */
  readonly stream: Uint8Array;
  /** The packet that began it, at the end that was asked. */
  readonly first?: Packet;
  /** A path from here to the target, first and last node included. */
  readonly plan: (avoided: Avoided) => readonly string[] | undefined;
  /** Whether a path that was planned still has all its hops. */
  readonly holds: (path: readonly string[], routeClass: RouteClass) => boolean;
  /**
   * Which life of the target is up, or of who has its name now; undefined: none that we see. `name`: as
   * it was called, since a key that was replaced is forgotten.
   */
  readonly lifeOf: (target: string, name?: string) => Life | undefined;
  readonly transmit: (packet: Packet, onTaken: () => void) => void;
  /** Our own first hop has failed. */
  readonly onTrouble: (from: string, to: string) => void;
  readonly onClosed: () => void;
}

/** A node from its start to its end. */
export interface Life {
  readonly keyId: string;
  readonly name: string;
  readonly instance: string;
}

interface Route {
  readonly path: readonly string[];
  readonly header: Uint8Array;
}

export class RoutedCarrier implements Carrier {
  readonly packetBytesMax = CARRIER_PACKET_BYTES_MAX;
  readonly closed: Promise<string>;
  readonly target: string;
  readonly #options: RoutedCarrierOptions;
  #route: Route | undefined;
  #plannedAt = -Infinity;
  /** At the end that was asked, until it had to choose. */
  #follows: boolean;
  readonly #avoidNodes = new Set<string>();
  #avoidEdges: Edge[] = [];
  #run: ((packet: Uint8Array) => void) | undefined;
  /** In bytes, what waits for the first hop of the route that is taken now. */
  #waiting = 0;
  #counted: Route | undefined;
  readonly #roomWaiters: (() => void)[] = [];
  #busyUntil = 0;
  #busyMs = 0;
  /** Monotonic ms: no path is taken before, since all were refused; and when that was found last. */
  #restUntil = 0;
  #allRefusedAt = -Infinity;
  #restMs = 0;
  /**
   * That has answered us, if we began, or a later one of which we had not heard then. Who was asked leaves
   * it to what runs above: that may move.
   */
  #life: Life | undefined;
  /** Monotonic ms: when it had. */
  #answeredAt = 0;
  #over: string | undefined;
  #resolveClosed: (text: string) => void = () => {};

  constructor(options: RoutedCarrierOptions) {
    this.#options = options;
    this.target = options.target;
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
    this.#follows = options.first !== undefined;
    if (options.first !== undefined) this.#take(pathOf(options.first).reverse());
  }

  get hasRoute(): boolean {
    return this.#over === undefined && this.#current() !== undefined;
  }

  /** Key ids from here to the target; undefined while there is none. */
  get path(): readonly string[] | undefined {
    return this.#current()?.path;
  }

  async send(packet: Uint8Array, priority: Priority): Promise<void> {
    if (this.#over !== undefined) throw this.#closedError(this.#over);
    if (packet.length > CARRIER_PACKET_BYTES_MAX) {
      throw new RangeError(`Packet of ${packet.length} bytes is larger than packetBytesMax`);
    }
    if (priority === PRIORITY.bulk) await this.#patience();
    const route = this.#current();
    // Like a packet that is lost on the way: whoever needs it sends it again.
    if (route === undefined) return;
    const bytes = writePacket(route.header, packet, priority);
    const cost = QUEUED_PACKET_BYTES + bytes.length;
    this.#waiting += cost;
    this.#options.transmit({
      bytes,
      kind: PACKET_KIND.data,
      class: this.#options.class,
      priority,
      hops: route.path.length - 1,
      bodyAt: route.header.length,
    }, () => this.#taken(cost, route));
    while (this.#waiting > CARRIER_WAITING_BYTES_MAX && this.#over === undefined) {
      await new Promise<void>((resolve) => this.#roomWaiters.push(resolve));
    }
  }

  onPacket(run: (packet: Uint8Array) => void): void {
    this.#run = run;
  }

  reroute(): void {
    this.#follows = false;
    const path = this.#route?.path;
    if (path !== undefined) {
      const relays = path.slice(1, -1);
      for (const relay of relays) this.#avoidNodes.add(relay);
      if (relays.length === 0) this.#avoidEdges.push([path[0] as string, this.target]);
    }
    this.#route = undefined;
    this.#replan();
  }

  close(text: string): void {
    if (this.#over !== undefined) return;
    this.#over = text;
    this.#run = undefined;
    for (const wake of this.#roomWaiters.splice(0)) wake();
    this.#options.onClosed();
    this.#resolveClosed(text);
  }

  /** For the router alone: data of the other end. */
  receive(packet: Packet): void {
    if (this.#life === undefined && this.#options.first === undefined) {
      this.#life = this.#options.lifeOf(this.target);
      this.#answeredAt = this.#options.clock.monotonic();
    }
    if (this.#follows && this.#route !== undefined && !isReverse(packet, this.#route.header)) {
      this.#take(pathOf(packet).reverse());
    }
    this.#run?.(bodyOf(packet));
  }

  /**
   * For the router alone: a packet of ours did not arrive. What did not come by the reverse of our
   * path is no news. A relay may lie: only what we found out ourselves counts for everybody here.
   */
  refused(refused: RefusedPacket): void {
    const path = this.#route?.path;
    const at = path === undefined ? -1 : refusedAt(path, refused);
    if (at < 0) return;
    if (refused.why === REFUSAL.busy) return this.#slowDown();
    if (at === 0) this.#options.onTrouble(refused.by, refused.hop);
    else this.#avoidEdges.push([refused.by, refused.hop]);
    this.#follows = false;
    this.#route = undefined;
    this.#replan({ refused: true });
  }

  /** For the router alone: the mesh has changed. */
  meshChanged(): void {
    const text = this.#seenEnd();
    if (text !== undefined) return this.close(text);
    if (this.#route === undefined) this.#replan();
    else if (!this.#options.holds(this.#route.path, this.#options.class)) {
      this.#route = undefined;
      this.#replan();
    }
  }

  /**
   * Why what the target knew of us is lost, if it is. One that is down may be cut off, and come back. The
   * word of a new life may be so late that it was this one which answered.
   */
  #seenEnd(): string | undefined {
    const answered = this.#life;
    if (answered === undefined) return undefined;
    const { clock, lifeOf } = this.#options;
    const present = lifeOf(this.target, answered.name);
    if (present === undefined || present.instance === answered.instance) return undefined;
    const mayBeLate = clock.monotonic() - this.#answeredAt < NEWS_MS_MAX;
    if (present.keyId === this.target && mayBeLate) {
      this.#life = present;
      // Once: two lives within that time are two.
      this.#answeredAt = -Infinity;
      return undefined;
    }
    return `"${present.name}" was started again`;
  }

  /** Now and then looked for anew while there is none. */
  #current(): Route | undefined {
    if (this.#route === undefined) {
      const now = this.#options.clock.monotonic();
      if (now - this.#plannedAt >= REPLAN_MS && now >= this.#restUntil) this.#replan();
    }
    return this.#route;
  }

  #replan(options: { readonly refused?: boolean } = {}): void {
    if (this.#over !== undefined) return;
    const { plan, clock } = this.#options;
    this.#plannedAt = clock.monotonic();
    let path = plan({ nodes: this.#avoidNodes, edges: this.#avoidEdges });
    if (path === undefined && this.#avoidNodes.size + this.#avoidEdges.length > 0) {
      // All were tried; the first may work again.
      this.#avoidNodes.clear();
      this.#avoidEdges = [];
      if (options.refused && this.#mustRest()) return;
      path = plan({ nodes: this.#avoidNodes, edges: this.#avoidEdges });
    }
    if (path !== undefined) this.#take(path);
  }

  /** All paths were refused. Not the first time, but then ever longer: each look for one costs. */
  #mustRest(): boolean {
    const now = this.#options.clock.monotonic();
    const isAgain = now - this.#allRefusedAt <= 2 * REFUSED_PAUSE_MS_MAX;
    this.#allRefusedAt = now;
    if (!isAgain) {
      this.#restMs = 0;
      return false;
    }
    this.#restMs = Math.min(REFUSED_PAUSE_MS_MAX, Math.max(REFUSED_PAUSE_MS_MIN, 2 * this.#restMs));
    const [chance = 0] = this.#options.random.bytes(1);
    this.#restUntil = now + this.#restMs * (1 + chance / 256) / 2;
    return true;
  }

  #take(path: readonly string[]): void {
    const { class: routeClass, stream } = this.#options;
    const header = writeHeader({
      kind: PACKET_KIND.data,
      class: routeClass,
      priority: PRIORITY.bulk,
      stream,
      path,
    });
    this.#route = { path, header };
    this.#count(this.#route);
  }

  /** Bulk waits while the way was full a moment ago. */
  async #patience(): Promise<void> {
    const { clock } = this.#options;
    for (;;) {
      const ms = this.#busyUntil - clock.monotonic();
      if (ms <= 0 || this.#over !== undefined) return;
      await clock.sleep(ms);
    }
  }

  #slowDown(): void {
    const now = this.#options.clock.monotonic();
    // All that was under way when it became full is refused together.
    if (now < this.#busyUntil) return;
    const isLongAgo = now - this.#busyUntil > BUSY_PAUSE_MS_MAX;
    this.#busyMs = isLongAgo || this.#busyMs === 0
      ? BUSY_PAUSE_MS_MIN
      : Math.min(BUSY_PAUSE_MS_MAX, 2 * this.#busyMs);
    this.#busyUntil = now + this.#busyMs;
  }

  #taken(cost: number, route: Route): void {
    // What still waits for a hop that was left keeps nothing back any more.
    if (route !== this.#counted) return;
    this.#waiting -= cost;
    if (this.#waiting > CARRIER_WAITING_BYTES_MAX) return;
    for (const wake of this.#roomWaiters.splice(0)) wake();
  }

  /** From now on, only what waits on this route counts. */
  #count(route: Route): void {
    this.#counted = route;
    this.#waiting = 0;
    for (const wake of this.#roomWaiters.splice(0)) wake();
  }

  #closedError(text: string): ConnectionError {
    return new ConnectionError("closed", `Carrier is closed: ${text}`);
  }
}
