/** Dialing and listening between simulated machines, with the errors and texts of the real thing. */
import type {
  Address,
  BytePipe,
  Multicast,
  MulticastGroup,
  Network,
  PipeListener,
} from "../../core/environment/environment.ts";
import { connectionError } from "../../core/environment/real_errors.ts";
import { addressText } from "../../core/environment/real_network.ts";
import { socketText } from "../../core/environment/real_pipe.ts";
import { ConnectionError, NotFoundError } from "../../core/errors.ts";
import { connect, type Dial } from "./dial.ts";
import { SimulatedListener } from "./listener.ts";
import type { Machine, SimulatedProcess } from "./machine.ts";
import { SimulatedMulticast } from "./multicast.ts";
import type { Path } from "./path.ts";
import type { Scheduler } from "./scheduler.ts";
import { systemError } from "./system_error.ts";
import type { Trace } from "./trace.ts";

/** An address that belongs to nobody: three ARP requests are not answered. */
const NO_ROUTE_MS = 3_000;
const LOOPBACK = ["localhost", "127.0.0.1", "::1"];
const ANY = ["0.0.0.0", "::"];

/** What the network needs of the simulation. */
export interface World {
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  path(from: Machine, to: Machine): Path;
  /** By name or address. */
  machine(host: string): Machine | undefined;
  nextPipe(): number;
  /** Everybody who takes part in a group of datagrams. */
  readonly seats: Set<SimulatedMulticast>;
}

export class SimulatedNetwork implements Network {
  readonly #process: SimulatedProcess;
  readonly #world: World;

  constructor(process: SimulatedProcess, world: World) {
    this.#process = process;
    this.#world = world;
  }

  dial(address: Address, options: { signal?: AbortSignal } = {}): Promise<BytePipe> {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      if (this.#process.dead) return;
      if (signal?.aborted) return reject(signal.reason);
      const aborted = () => reject(signal?.reason);
      signal?.addEventListener("abort", aborted, { once: true });
      const settled = () => signal?.removeEventListener("abort", aborted);
      const outcome: Outcome = {
        abandoned: () => signal?.aborted ?? false,
        connected: (pipe) => {
          settled();
          if (signal?.aborted) pipe.close();
          else resolve(pipe);
        },
        failed: (code) => {
          settled();
          reject(connectionError(`dial "${addressText(address)}"`, systemError(code)));
        },
      };
      if (address.transport === "tcp") this.#dialTcp(address.host, address.port, outcome);
      else this.#dialUnix(address.path, outcome);
    });
  }

  listen(address: Address): Promise<PipeListener> {
    return this.#process.later(0, () => {
      try {
        return address.transport === "tcp"
          ? this.#listenTcp(address.host, address.port)
          : this.#listenUnix(address.path);
      } catch (error) {
        throw connectionError(`listen on "${addressText(address)}"`, error);
      }
    });
  }

  addresses(): readonly string[] {
    return this.#process.machine.addresses;
  }

  multicast(group: MulticastGroup): Multicast {
    const { scheduler, seats, path } = this.#world;
    return new SimulatedMulticast(this.#process, group, {
      scheduler,
      seats,
      path: (from, to) => path(from.machine, to.machine),
    });
  }

  #dialTcp(host: string, port: number, outcome: Outcome): void {
    const process = this.#process;
    const machine = LOOPBACK.includes(host) ? process.machine : this.#world.machine(host);
    if (machine === undefined) {
      if (isLiteral(host)) process.after(NO_ROUTE_MS, () => outcome.failed("EHOSTUNREACH"));
      else process.after(0, () => outcome.failed("ENOTFOUND"));
      return;
    }
    const address = LOOPBACK.includes(host) || isLiteral(host) ? host : machine.addresses[0]!;
    const source = LOOPBACK.includes(host) ? address : process.machine.addresses[0]!;
    connect(this.#world, {
      ...outcome,
      process,
      machine,
      listener: () => portOf(machine, address, port),
      localText: socketText(source, process.machine.nextPort()),
      remoteText: socketText(address, port),
    });
  }

  #dialUnix(path: string, outcome: Outcome): void {
    const process = this.#process;
    const { machine } = process;
    if (machine.disk.socket(path) === undefined) {
      process.after(0, () => outcome.failed("ENOENT"));
      return;
    }
    connect(this.#world, {
      ...outcome,
      process,
      machine,
      listener: () => machine.disk.socket(path)?.listener,
      localText: `unix:${path}`,
      remoteText: `unix:${path}`,
    });
  }

  #listenTcp(host: string, wanted: number): PipeListener {
    const { machine } = this.#process;
    const address = host === "localhost" ? "127.0.0.1" : this.#ownAddress(host);
    const port = wanted === 0 ? machine.nextPort() : wanted;
    if (machine.ports.some((each) => each.port === port && overlaps(each.address, address))) {
      throw systemError("EADDRINUSE");
    }
    const listener = new SimulatedListener(
      this.#process,
      { transport: "tcp", host: address, port },
      () => machine.ports.splice(machine.ports.findIndex((each) => each.listener === listener), 1),
    );
    machine.ports.push({ address, port, listener });
    return listener;
  }

  #ownAddress(host: string): string {
    const { machine } = this.#process;
    if (host === machine.name) return machine.addresses[0]!;
    if ([...LOOPBACK, ...ANY, ...machine.addresses].includes(host)) return host;
    throw systemError(isLiteral(host) ? "cannot assign requested address" : "ENOTFOUND");
  }

  #listenUnix(path: string): PipeListener {
    const { machine } = this.#process;
    const old = machine.disk.find(path);
    if (old !== undefined && old.kind !== "socket") {
      throw taken(path, "there is something that is no socket");
    }
    if (old?.listener?.closed === false) throw taken(path, "another process listens there");
    if (old !== undefined) machine.disk.remove(path);
    if (!machine.disk.hasParent(path)) {
      throw new NotFoundError(`Could not listen on "unix:${path}": its folder does not exist`);
    }
    const address: Address = { transport: "unix", path };
    const listener = new SimulatedListener(this.#process, address, () => {
      if (machine.disk.socket(path)?.listener === listener) machine.disk.remove(path);
    });
    machine.disk.makeSocket(path, listener, this.#world.scheduler.now);
    return listener;
  }
}

type Outcome = Pick<Dial, "abandoned" | "connected" | "failed">;

function portOf(machine: Machine, address: string, port: number): SimulatedListener | undefined {
  const open = machine.ports.filter((each) => each.port === port);
  return (open.find((each) => each.address === address) ??
    open.find((each) => ANY.includes(each.address)))?.listener;
}

function overlaps(a: string, b: string): boolean {
  return a === b || ANY.includes(a) || ANY.includes(b);
}

function isLiteral(host: string): boolean {
  return host.includes(":") || /^[\d.]+$/.test(host);
}

function taken(path: string, why: string): ConnectionError {
  return new ConnectionError("address-taken", `Could not listen on "unix:${path}": ${why}`);
}
