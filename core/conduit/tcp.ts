/**
 * The tcp front: always Noise, there is no other mode. Limits before authentication: so many
 * connections in all and from one source, little time, little memory. A stranger gets no answer.
 */

import type { BytePipe, Network } from "../environment/environment.ts";
import { AuthenticationError, errorText } from "../errors.ts";
import {
  FIRST_BYTES_MS_MAX,
  HANDSHAKE_MS_MAX,
  UNAUTHENTICATED_CONNECTIONS_MAX,
  UNAUTHENTICATED_PER_SOURCE_MAX,
} from "../limits.ts";
import type { Log } from "../log.ts";
import { FIRST_MESSAGE_BYTES } from "../security/hello.ts";
import { acceptLoop } from "./accept_loop.ts";
import type { Conduit, ConduitListener, DialOptions, Endpoint, Front } from "./conduit.ts";
import { formatEndpoint, parseEndpoint } from "./endpoint.ts";
import { FramedConduit } from "./framed.ts";
import {
  type Established,
  type HandshakeContext,
  initiateHandshake,
  respondHandshake,
} from "./handshake.ts";
import { PipeReader } from "./pipe_reader.ts";

export interface TcpFrontOptions {
  readonly network: Network;
  readonly log: Log;
  /** As of now: trust may be replaced while the daemon lives. */
  readonly context: () => HandshakeContext;
  /** Refuses an authenticated peer by throwing AuthenticationError. */
  readonly admit?: (peer: Established["peer"]) => void;
}

export class TcpFront implements Front {
  readonly scheme = "tcp";
  readonly #options: TcpFrontOptions;
  /** Connections that have not proven anything yet, by source. */
  readonly #strangers = new Map<string, number>();
  #strangersInAll = 0;

  constructor(options: TcpFrontOptions) {
    this.#options = options;
  }

  async dial(endpoint: Endpoint, options: DialOptions = {}): Promise<Conduit> {
    const pipe = await this.#options.network.dial(parseEndpoint(endpoint), options);
    try {
      // As of now: connecting may have taken long, and trust may have changed meanwhile.
      const context = this.#options.context();
      const established = await initiateHandshake(context, {
        pipe,
        expect: options.expect ?? {},
        bulk: options.bulk ?? false,
        onDemand: options.onDemand ?? false,
        join: options.join ?? false,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      return new FramedConduit({ pipe, clock: context.clock, ...established });
    } catch (error) {
      pipe.close();
      throw error;
    }
  }

  async listen(endpoint: Endpoint, accept: (conduit: Conduit) => void): Promise<ConduitListener> {
    const { network, log } = this.#options;
    const { clock } = this.#options.context();
    const listener = await network.listen(parseEndpoint(endpoint));
    const pending = new Set<BytePipe>();
    const greetings = new Set<Promise<void>>();
    const loop = acceptLoop({ listener, clock, log }, (pipe) => {
      pending.add(pipe);
      const greeting = this.#greet(pipe, (conduit) => {
        pending.delete(pipe);
        accept(conduit);
      }).finally(() => {
        pending.delete(pipe);
        greetings.delete(greeting);
      });
      greetings.add(greeting);
    });
    return {
      endpoint: formatEndpoint(listener.address),
      close: async () => {
        listener.close();
        for (const pipe of pending) pipe.close();
        await loop;
        await Promise.all(greetings);
      },
    };
  }

  /** Never throws: whatever a stranger does concerns its own connection only. */
  async #greet(pipe: BytePipe, accept: (conduit: Conduit) => void): Promise<void> {
    const source = sourceOf(pipe.remote);
    const { log } = this.#options;
    if (!this.#enter(source)) {
      pipe.close();
      log("debug", `Connection from ${pipe.remote} closed: too many without authentication`);
      return;
    }
    const context = this.#options.context();
    const reader = new PipeReader(pipe, context.clock);
    try {
      reader.limit(FIRST_BYTES_MS_MAX, "First message");
      const first = await reader.read(FIRST_MESSAGE_BYTES);
      reader.limit(HANDSHAKE_MS_MAX, "Handshake");
      const { admit } = this.#options;
      const established = await respondHandshake(context, {
        pipe,
        reader,
        first,
        ...(admit === undefined ? {} : { admit }),
      });
      reader.dispose();
      accept(new FramedConduit({ pipe, clock: context.clock, ...established }));
    } catch (error) {
      pipe.close();
      const level = error instanceof AuthenticationError ? "warning" : "debug";
      log(level, `Connection from ${pipe.remote} refused: ${errorText(error)}`);
    } finally {
      reader.dispose();
      this.#leave(source);
    }
  }

  #enter(source: string): boolean {
    const here = this.#strangers.get(source) ?? 0;
    if (
      here >= UNAUTHENTICATED_PER_SOURCE_MAX ||
      this.#strangersInAll >= UNAUTHENTICATED_CONNECTIONS_MAX
    ) return false;
    this.#strangers.set(source, here + 1);
    this.#strangersInAll++;
    return true;
  }

  #leave(source: string): void {
    const here = this.#strangers.get(source) ?? 0;
    if (here <= 1) this.#strangers.delete(source);
    else this.#strangers.set(source, here - 1);
    this.#strangersInAll--;
  }
}

/** Who counts as one source: an IPv4 address, or the /64 of IPv6 that one machine has to itself. */
function sourceOf(remote: string): string {
  const colon = remote.lastIndexOf(":");
  const host = colon < 0 ? remote : remote.slice(0, colon);
  if (!host.startsWith("[")) return host;
  const [head = "", tail] = host.slice(1, -1).split("::");
  const groups = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array<string>(Math.max(0, 8 - groups.length - last.length)).fill("0");
  return [...groups, ...zeros, ...last].slice(0, 4).join(":");
}
