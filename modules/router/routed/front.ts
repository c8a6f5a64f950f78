/**
 * The front of scheme `mesh`: conduits to any node of the mesh, whoever carries their packets. The
 * router gives it carriers and the first packets of streams that others began; the handshakes are
 * the core's. What runs over it is the same conduit as over tcp.
 */

import {
  type Clock,
  type Conduit,
  type ConduitListener,
  ConnectionError,
  type EndToEnd,
  type Front,
  type Log,
} from "../../../core/mod.ts";
import type { Carrier } from "../../shared/carrier.ts";
import type { StreamOrigin } from "./answer_quota.ts";
import { Arrivals } from "./arrivals.ts";
import { type InitiateRouted, initiateRouted } from "./initiate.ts";

const SCHEME = "mesh";

export interface RoutedFrontOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly endToEnd: EndToEnd;
  /** Our own name. */
  readonly name: string;
  /** The key id of the node of that name; undefined: there is none. */
  readonly find: (name: string) => string | undefined;
  /** A carrier to that node, ours from then on. May throw. */
  readonly open: (keyId: string) => Carrier;
}

type DialRouted =
  & Pick<InitiateRouted, "bulk" | "timeoutMs" | "signal">
  & { readonly expect?: { readonly name?: string; readonly keyId?: string } };

export class RoutedFront implements Front {
  readonly scheme = SCHEME;
  readonly #options: RoutedFrontOptions;
  #arrivals: Arrivals | undefined;
  readonly #living = new Set<Promise<void>>();

  constructor(options: RoutedFrontOptions) {
    this.#options = options;
  }

  async dial(endpoint: string, options: DialRouted = {}): Promise<Conduit> {
    const name = nameOf(endpoint);
    const keyId = this.#options.find(name);
    if (keyId === undefined) {
      throw new ConnectionError("unknown-name", `No node "${name}" in this mesh`);
    }
    const { expect, ...rest } = options;
    if (expect?.keyId !== undefined && expect.keyId !== keyId) {
      throw new ConnectionError(
        "unknown-name",
        `Node "${name}" has key ${keyId.slice(0, 16)}, not ${expect.keyId.slice(0, 16)}`,
      );
    }
    rest.signal?.throwIfAborted();
    const { clock, endToEnd, open } = this.#options;
    const { conduit, done } = await initiateRouted({ keyId, name: expect?.name ?? name }, {
      ...rest,
      carrier: open(keyId),
      endToEnd,
      clock,
      local: `${SCHEME}:${this.#options.name}`,
    });
    this.#keep(done);
    return conduit;
  }

  listen(endpoint: string, accept: (conduit: Conduit) => void): Promise<ConduitListener> {
    if (this.#arrivals !== undefined) {
      return Promise.reject(
        new ConnectionError("address-taken", `We listen on ${endpoint} already`),
      );
    }
    const { clock, endToEnd, log } = this.#options;
    const arrivals = new Arrivals({
      clock,
      endToEnd,
      log,
      local: endpoint,
      accept,
      made: (done) => this.#keep(done),
    });
    this.#arrivals = arrivals;
    return Promise.resolve({
      endpoint,
      close: () => {
        if (this.#arrivals === arrivals) this.#arrivals = undefined;
        arrivals.close();
        return Promise.resolve();
      },
    });
  }

  /** Whether the first packet of a stream that nobody knows is for us. Costs next to nothing. */
  wants(packet: Uint8Array): boolean {
    return this.#arrivals?.wants(packet) ?? false;
  }

  /** Takes over the carrier of such a stream; its first packet is delivered behind this. */
  accept(carrier: Carrier, origin: StreamOrigin): void {
    if (this.#arrivals === undefined) carrier.close("nobody listens");
    else this.#arrivals.accept(carrier, origin);
  }

  /** Resolves when nothing is left of the conduits that were closed; the living ones must be closed. */
  async settled(): Promise<void> {
    while (this.#living.size > 0) await Promise.all(this.#living);
  }

  #keep(done: Promise<void>): void {
    this.#living.add(done);
    void done.then(() => this.#living.delete(done));
  }
}

function nameOf(endpoint: string): string {
  const prefix = `${SCHEME}:`;
  if (endpoint.startsWith(prefix) && endpoint.length > prefix.length) {
    return endpoint.slice(prefix.length);
  }
  throw new ConnectionError("unknown-name", `"${endpoint}" is no endpoint of the form mesh:NODE`);
}
