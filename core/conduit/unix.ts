/**
 * The unix front: frames without encryption, the kernel is the channel. Who may connect is decided
 * by the folder of the socket (0700, owner); a second, public socket makes its peers nobody.
 */

import type { Clock, Network } from "../environment/environment.ts";
import type { Log } from "../log.ts";
import { acceptLoop } from "./accept_loop.ts";
import type { Conduit, ConduitListener, DialOptions, Endpoint, Front, Peer } from "./conduit.ts";
import { formatEndpoint, parseEndpoint } from "./endpoint.ts";
import { FramedConduit } from "./framed.ts";

export interface UnixFrontOptions {
  readonly clock: Clock;
  readonly network: Network;
  readonly log: Log;
  /** Whom those who connect are taken for. @default local */
  readonly acceptedAs?: "local" | "nobody";
}

export class UnixFront implements Front {
  readonly scheme = "unix";
  readonly #options: UnixFrontOptions;

  constructor(options: UnixFrontOptions) {
    this.#options = options;
  }

  async dial(endpoint: Endpoint, options: DialOptions = {}): Promise<Conduit> {
    const { clock, network } = this.#options;
    const pipe = await network.dial(parseEndpoint(endpoint), options);
    return new FramedConduit({ pipe, clock, peer: { kind: "local" } });
  }

  async listen(
    endpoint: Endpoint,
    accept: (conduit: Conduit) => void,
  ): Promise<ConduitListener> {
    const { clock, network, log } = this.#options;
    const peer: Peer = { kind: this.#options.acceptedAs ?? "local" };
    const listener = await network.listen(parseEndpoint(endpoint));
    const loop = acceptLoop({ listener, clock, log }, (pipe) => {
      accept(new FramedConduit({ pipe, clock, peer }));
    });
    return {
      endpoint: formatEndpoint(listener.address),
      close: async () => {
        listener.close();
        await loop;
      },
    };
  }
}
