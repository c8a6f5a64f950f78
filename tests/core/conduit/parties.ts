/** Fronts of tcp with an identity behind them, for the tests of the handshake. */

import type { Conduit, DialOptions } from "../../../core/conduit/conduit.ts";
import type { HandshakeContext } from "../../../core/conduit/handshake.ts";
import { TcpFront, type TcpFrontOptions } from "../../../core/conduit/tcp.ts";
import type { Clock, Network } from "../../../core/environment/environment.ts";
import { RealNetwork } from "../../../core/environment/real_network.ts";
import type { Self, Trust } from "../../../core/mod.ts";
import type { Message } from "../../../core/wire/message.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";
import { takeAll } from "./messages.ts";

const random = {
  bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)),
};

/** A mesh whose time stands still, so that certificates say what a test wants. */
export async function makeKeys(clock: Clock): Promise<MeshKeys> {
  return new MeshKeys(await testPrimitives(), { random, now: () => clock.now() });
}

export interface PartyOptions {
  readonly keys: MeshKeys;
  readonly self: Self;
  readonly trust?: Partial<Trust>;
  readonly clock: Clock;
  /** @default nobody may join */
  readonly joining?: NonNullable<HandshakeContext["joining"]>;
  /** @default the host's */
  readonly network?: Network;
  readonly admit?: NonNullable<TcpFrontOptions["admit"]>;
}

/** Who dials or listens, with what its front logged. */
export class Party {
  readonly front: TcpFront;
  readonly self: Self;
  readonly logged: string[] = [];
  readonly conduits: Conduit[] = [];
  /** What came on conduits that have ended. */
  readonly received: Message[] = [];
  readonly #listeners: { close(): Promise<void> }[] = [];

  constructor(options: PartyOptions) {
    const { clock, keys, self } = options;
    const network = options.network ?? new RealNetwork(clock);
    const context: HandshakeContext = {
      clock,
      random,
      primitives: keys.primitives,
      self,
      trust: keys.trust(options.trust),
      ...(options.joining === undefined ? {} : { joining: options.joining }),
    };
    this.self = self;
    this.front = new TcpFront({
      network,
      log: (level, text) => this.logged.push(`${level}: ${text}`),
      context: () => context,
      ...(options.admit === undefined ? {} : { admit: options.admit }),
    });
  }

  /** Where it listens from now on; what it accepts is in `conduits`. */
  async listen(): Promise<string> {
    const listener = await this.front.listen(
      "tcp:127.0.0.1:0",
      (conduit) => this.#take(conduit),
    );
    this.#listeners.push(listener);
    return listener.endpoint;
  }

  async dial(endpoint: string, options: DialOptions = {}): Promise<Conduit> {
    const conduit = await this.front.dial(endpoint, options);
    this.#take(conduit);
    return conduit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    await Promise.all(this.conduits.map((conduit) => conduit.close("test is over")));
  }

  #take(conduit: Conduit): void {
    this.conduits.push(conduit);
    void takeAll(conduit).then(({ messages }) => this.received.push(...messages));
  }
}
