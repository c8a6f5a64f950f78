/**
 * TCP and unix sockets of the host. TCP connections send at once (no Nagle delay): what should
 * travel together is put together above. Accepting goes on through a lack of file descriptors.
 */
import type {
  Address,
  BytePipe,
  Clock,
  Multicast,
  MulticastGroup,
  Network,
  PipeListener,
} from "./environment.ts";
import { ConnectionError } from "../errors.ts";
import { ACCEPT_RETRY_MS } from "../limits.ts";
import { addressRank } from "./real_addresses.ts";
import { connectionError, marksOf } from "./real_errors.ts";
import { RealMulticast } from "./real_multicast.ts";
import { RealPipe, socketText } from "./real_pipe.ts";
import { bindUnix } from "./real_unix.ts";

/** Deno 2.6 tries only the first address of a name, 2.9 all of them. */
const ONE_ADDRESS_ONLY = /^2\.[0-8]\./.test(Deno.version.deno);

export class RealNetwork implements Network {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async dial(address: Address, options: { signal?: AbortSignal } = {}): Promise<BytePipe> {
    const { signal } = options;
    signal?.throwIfAborted();
    try {
      const dialling = address.transport === "tcp"
        ? dialTcp(address.host, address.port, signal)
        : dialUnix(address.path);
      return await unlessAborted(dialling, signal);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw connectionError(`dial "${addressText(address)}"`, error);
    }
  }

  async listen(address: Address): Promise<PipeListener> {
    try {
      if (address.transport === "unix") {
        const { listener, release } = await bindUnix(address.path);
        return new RealListener(listener, address, this.#clock, release);
      }
      const listener = Deno.listen({ hostname: address.host, port: address.port });
      const { hostname: host, port } = listener.addr as Deno.NetAddr;
      return new RealListener(listener, { transport: "tcp", host, port }, this.#clock);
    } catch (error) {
      throw connectionError(`listen on "${addressText(address)}"`, error);
    }
  }

  addresses(): readonly string[] {
    return Deno.networkInterfaces()
      .map(({ name, address }) => ({ address, rank: addressRank(name, address) }))
      .filter(({ rank }) => rank !== undefined)
      .sort((a, b) => a.rank! - b.rank!)
      .map(({ address }) => address);
  }

  multicast(group: MulticastGroup): Multicast {
    return new RealMulticast(group);
  }
}

class RealListener implements PipeListener {
  readonly address: Address;
  readonly #listener: Deno.Listener;
  readonly #clock: Clock;
  readonly #release: (() => void) | undefined;
  #closed = false;

  constructor(listener: Deno.Listener, address: Address, clock: Clock, release?: () => void) {
    this.#listener = listener;
    this.address = address;
    this.#clock = clock;
    this.#release = release;
  }

  get closed(): boolean {
    return this.#closed;
  }

  async accept(): Promise<BytePipe> {
    for (;;) {
      if (this.#closed) throw this.#closedError();
      try {
        return this.#pipe(await this.#listener.accept());
      } catch (error) {
        if (this.#closed) throw this.#closedError();
        if (marksOf(error).includes("BadResource")) throw error;
        await this.#clock.sleep(ACCEPT_RETRY_MS);
      }
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release?.();
    this.#listener.close();
  }

  #pipe(connection: Deno.Conn): BytePipe {
    if (this.address.transport === "tcp") return tcpPipe(connection as Deno.TcpConn);
    const text = `unix:${this.address.path}`;
    return new RealPipe(connection, text, text);
  }

  #closedError(): ConnectionError {
    const text = addressText(this.address);
    return new ConnectionError("closed", `Could not accept on "${text}": the listener is closed`);
  }
}

async function dialTcp(host: string, port: number, signal?: AbortSignal): Promise<BytePipe> {
  let failure: unknown;
  try {
    return await connectTcp(host, port, signal);
  } catch (error) {
    if (!ONE_ADDRESS_ONLY || isLiteral(host) || !otherAddressMayHelp(error)) throw error;
    failure = error;
  }
  // Deno 2.6 warns on stderr of what its own node:dns uses; nobody here could do anything about it.
  const { default: process } = await import("node:process");
  Object.assign(process, { noDeprecation: true });
  const { lookup } = await import("node:dns/promises");
  for (const { address } of (await lookup(host, { all: true }))) {
    try {
      return await connectTcp(address, port, signal);
    } catch (error) {
      if (signal?.aborted) throw error;
      failure = error;
    }
  }
  throw failure;
}

async function connectTcp(host: string, port: number, signal?: AbortSignal): Promise<BytePipe> {
  const target = { hostname: host, port };
  return tcpPipe(await Deno.connect(signal === undefined ? target : { ...target, signal }));
}

function tcpPipe(connection: Deno.TcpConn): BytePipe {
  try {
    connection.setNoDelay(true);
  } catch (error) {
    connection.close();
    throw error;
  }
  return new RealPipe(connection, ipText(connection.remoteAddr), ipText(connection.localAddr));
}

/** A dual-stack listener sees IPv4 peers as ::ffff:a.b.c.d: people and limits want a.b.c.d. */
function ipText({ hostname, port }: Deno.NetAddr): string {
  return socketText(hostname.replace(/^::ffff:(?=\d+\.)/, ""), port);
}

function isLiteral(host: string): boolean {
  return host.includes(":") || /^[\d.]+$/.test(host);
}

function otherAddressMayHelp(error: unknown): boolean {
  const mapped = connectionError("dial", error);
  return mapped instanceof ConnectionError &&
    (mapped.reason === "refused" || mapped.reason === "no-route");
}

async function dialUnix(path: string): Promise<BytePipe> {
  const text = `unix:${path}`;
  return new RealPipe(await Deno.connect({ transport: "unix", path }), text, text);
}

/**
 * The runtime takes no signal while it looks up a name, nor while it waits at a full backlog of a unix
 * socket: who has given up does not wait for that, and what comes of it is closed.
 */
async function unlessAborted(dialling: Promise<BytePipe>, signal?: AbortSignal): Promise<BytePipe> {
  if (signal === undefined) return await dialling;
  return await new Promise((resolve, reject) => {
    const aborted = () => reject(signal.reason);
    signal.addEventListener("abort", aborted, { once: true });
    dialling.then((pipe) => {
      if (signal.aborted) pipe.close();
      else resolve(pipe);
    }, reject).finally(() => signal.removeEventListener("abort", aborted));
  });
}

/** For error texts and logs: "10.0.0.7:7117", "unix:/path". */
export function addressText(address: Address): string {
  return address.transport === "tcp"
    ? socketText(address.host, address.port)
    : `unix:${address.path}`;
}
