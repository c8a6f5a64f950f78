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
export type Source = SourcePlace & { finish(ok: boolean): void };
type SourcePlace = { readonly kind: "origin" } | { readonly kind: "node"; readonly name: string };

/** A host as its copies see it. */
interface NamedPlace extends Place {
  readonly name: string;
}

/** Who waits for a place. */
export interface Needy extends NamedPlace {
  /** The origin reaches it through others. @default false */
  readonly isBehind?: boolean;
}

interface Server {
  readonly place: Place;
  active: number;
  failures: number;
}

interface Waiter {
  readonly host: Needy;
  readonly resolve: (source: Source) => void;
}

/** Decides; carries nothing itself. Everything here happens at once, so no two see the same place. */
export class Sources {
  readonly #servers = new Map<string, Server>();
  readonly #waiting: Waiter[] = [];
  /** Hosts that have begun to copy and are neither up nor lost yet. */
  readonly #promising = new Map<string, Place>();
  #originSent = 0;
  #originActive = 0;

  /** Resolves when there is a place for this host; rejects with the signal's reason. */
  async acquire(host: Needy, signal: AbortSignal): Promise<Source> {
    signal.throwIfAborted();
    // Whoever waits (again) gives nobody else hope.
    this.#promising.delete(host.name);
    return await new Promise<Source>((resolve, reject) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        host,
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
  add(node: NamedPlace): void {
    this.#promising.delete(node.name);
    this.#servers.set(node.name, { place: node, active: 0, failures: 0 });
    this.#assign();
  }

  /** The host will not come up. */
  lost(name: string): void {
    this.#promising.delete(name);
    this.#assign();
  }

  #assign(): void {
    for (let i = 0; i < this.#waiting.length;) {
      const waiter = this.#waiting[i] as Waiter;
      const source = this.#placeFor(waiter.host);
      if (source === undefined) {
        i++;
        continue;
      }
      this.#waiting.splice(i, 1);
      const { name, segment } = waiter.host;
      if (segment !== undefined) this.#promising.set(name, waiter.host);
      waiter.resolve(source);
    }
  }

  #placeFor(host: Needy): Source | undefined {
    if (host.segment === undefined) return this.#originPlace();
    const free =
      [...this.#servers].filter(([, server]) =>
        isUsable(server, host) && server.active < NODE_COPIES_AT_ONCE
      ).sort(([, a], [, b]) => a.active - b.active)[0];
    if (free !== undefined) return this.#nodePlace(free[0], free[1]);
    const hasShare = host.isBehind !== true && this.#originSent < ORIGIN_COPIES_MAX;
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
  #isHopeful(host: Needy): boolean {
    return [...this.#servers.values()].some((server) => isUsable(server, host)) ||
      [...this.#promising.values()].some((place) => canDial(place, host)) ||
      // Who is reached directly has its copy soon, and may then serve.
      (host.isBehind === true &&
        this.#waiting.some((each) => each.host.isBehind !== true && canDial(each.host, host)));
  }
}

function isUsable({ place, failures }: Server, host: Needy): boolean {
  return canDial(place, host) && failures < NODE_FAILURES_MAX;
}
