/**
 * Who sends the binary to the next host. The origin sends a few copies; a host that is up serves
 * two others at a time, so the number of sources doubles with each round and the origin's line
 * carries three copies, not N. A source that fails is left alone, and in the end there is always
 * the origin. Segments are apart: a node serves only its own, and gateways each other.
 *
 *   waiting host -> a node that it can dial, with a free place
 *                -> else the origin, when it has a free place and has not sent its share yet,
 *                   or when no node is there, or about to be there, who could serve
 *
 * What lies behind others has no share: the origin sends there only while nobody else can.
 */

import { canDial, type Place } from "./dialling.ts";
import {
  NODE_COPIES_AT_ONCE,
  NODE_FAILURES_MAX,
  ORIGIN_COPIES_AT_ONCE,
  ORIGIN_COPIES_MAX,
} from "./limits.ts";

/** A place at a source. `finish` must be called once, and tells whether the host got the file. */
export type Source =
  & ({ readonly kind: "origin" } | { readonly kind: "node"; readonly name: string })
  & { finish(ok: boolean): void };

/** A host as its copies see it. */
export interface SourcePlace extends Place {
  readonly name: string;
  /** Hosts through which the origin reaches it. */
  readonly jumps: number;
}

interface Server {
  readonly place: SourcePlace;
  active: number;
  failures: number;
}

interface Waiter {
  readonly host: SourcePlace;
  /** It can take the file from a node. */
  readonly canFetch: boolean;
  readonly resolve: (source: Source) => void;
}

/** Decides; carries nothing itself. Everything here happens at once, so no two see the same place. */
export class Sources {
  readonly #hosts: ReadonlyMap<string, SourcePlace>;
  /** Gateways that are to be booted and are neither up nor lost yet. */
  readonly #coming = new Set<SourcePlace>();
  readonly #servers = new Map<string, Server>();
  readonly #waiting: Waiter[] = [];
  /** Hosts that have begun to copy and are neither up nor lost yet. */
  readonly #promising = new Set<SourcePlace>();
  #originSent = 0;
  #originActive = 0;

  /** `coming`: names of those that are booted now; others may be up already. */
  constructor(hosts: readonly SourcePlace[], coming: Iterable<string>) {
    this.#hosts = new Map(hosts.map((host) => [host.name, host]));
    for (const name of coming) {
      const host = this.#placeOf(name);
      if (host.gateway) this.#coming.add(host);
    }
  }

  /** Resolves when there is a place for this host; rejects with the signal's reason. */
  async acquire(
    name: string,
    options: { readonly canFetch: boolean; readonly signal: AbortSignal },
  ): Promise<Source> {
    const { canFetch, signal } = options;
    const host = this.#placeOf(name);
    signal.throwIfAborted();
    // Whoever waits (again) gives nobody else hope.
    this.#promising.delete(host);
    return await new Promise<Source>((resolve, reject) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        host,
        canFetch,
        resolve(source) {
          signal.removeEventListener("abort", leave);
          resolve(source);
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(waiter);
      this.#assign();
    });
  }

  /** A node that is up has the file and can serve. */
  up(name: string): void {
    const place = this.#settle(name);
    this.#servers.set(name, { place, active: 0, failures: 0 });
    this.#assign();
  }

  /** The host will not come up. */
  lost(name: string): void {
    this.#settle(name);
    this.#assign();
  }

  #settle(name: string): SourcePlace {
    const place = this.#placeOf(name);
    this.#promising.delete(place);
    this.#coming.delete(place);
    return place;
  }

  #placeOf(name: string): SourcePlace {
    return this.#hosts.get(name) as SourcePlace;
  }

  #assign(): void {
    for (let i = 0; i < this.#waiting.length;) {
      const waiter = this.#waiting[i] as Waiter;
      const source = this.#sourceFor(waiter);
      if (source === undefined) {
        i++;
        continue;
      }
      this.#waiting.splice(i, 1);
      if (waiter.canFetch) this.#promising.add(waiter.host);
      waiter.resolve(source);
    }
  }

  #sourceFor({ host, canFetch }: Waiter): Source | undefined {
    if (!canFetch) return this.#originPlace();
    const free =
      [...this.#servers].filter(([, server]) =>
        this.#isUsable(server, host) && server.active < NODE_COPIES_AT_ONCE
      ).sort(([, a], [, b]) => a.active - b.active)[0];
    if (free !== undefined) return this.#nodePlace(free[0], free[1]);
    const hasShare = host.jumps === 0 && this.#originSent < ORIGIN_COPIES_MAX;
    const place = hasShare || !this.#isHopeful(host) ? this.#originPlace() : undefined;
    if (place !== undefined) this.#originSent++;
    return place;
  }

  #originPlace(): Source | undefined {
    if (this.#originActive >= ORIGIN_COPIES_AT_ONCE) return undefined;
    this.#originActive++;
    return {
      kind: "origin",
      finish: () => {
        this.#originActive--;
        this.#assign();
      },
    };
  }

  #nodePlace(name: string, server: Server): Source {
    server.active++;
    return {
      kind: "node",
      name,
      finish: (ok) => {
        server.active--;
        server.failures = ok ? 0 : server.failures + 1;
        this.#assign();
      },
    };
  }

  /** Whether some node serves this host, or may soon. */
  #isHopeful(host: SourcePlace): boolean {
    return [...this.#servers.values()].some((server) => this.#isUsable(server, host)) ||
      [...this.#promising].some((place) => canDial(place, host)) ||
      // A gateway nearer to us has its copy before we could send one past it.
      [...this.#coming].some((place) => place.jumps < host.jumps && canDial(place, host));
  }

  #isUsable({ place, failures }: Server, host: SourcePlace): boolean {
    if (!canDial(place, host) || failures >= NODE_FAILURES_MAX) return false;
    // It is asked through the mesh, to which it belongs only by a gateway.
    return place.jumps === 0 || place.gateway ||
      [...this.#servers.values()].some(({ place: other }) =>
        other.gateway && other.segment === place.segment
      );
  }
}
