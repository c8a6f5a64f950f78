/**
 * Groups of datagrams between simulated machines, which are all on one network. What a path would
 * lose is lost, and nothing of it is sent again; a full buffer loses what comes.
 */
import type { Datagram, Multicast, MulticastGroup } from "../../core/environment/environment.ts";
import { ConnectionError } from "../../core/errors.ts";
import type { SimulatedProcess } from "./machine.ts";
import type { Path } from "./path.ts";
import type { Scheduler } from "./scheduler.ts";

/** Datagrams that wait for their reader. */
const BUFFER_MAX = 256;

/** What it needs of the simulation. */
export interface Ether {
  readonly scheduler: Scheduler;
  /** Everybody who takes part in any group. */
  readonly seats: Set<SimulatedMulticast>;
  path(from: SimulatedProcess, to: SimulatedProcess): Path;
}

export class SimulatedMulticast implements Multicast {
  readonly process: SimulatedProcess;
  readonly #ether: Ether;
  readonly #group: string;
  readonly #waiting: Datagram[] = [];
  #joined = false;
  #reader: Omit<PromiseWithResolvers<Datagram>, "promise"> | undefined;
  #closed = false;

  constructor(process: SimulatedProcess, group: MulticastGroup, ether: Ether) {
    this.process = process;
    this.#ether = ether;
    this.#group = `${group.host}:${group.port}`;
    ether.seats.add(this);
  }

  networks(): Promise<readonly string[]> {
    if (this.#closed) return Promise.reject(this.#closedError());
    return this.process.later(0, () => {
      this.#joined = true;
      return this.process.machine.addresses.slice(0, 1);
    });
  }

  send(bytes: Uint8Array, from: string): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closedError());
    const sent = bytes.slice();
    return this.process.later(0, () => {
      const { scheduler, seats } = this.#ether;
      for (const seat of seats) {
        if (seat.process.dead) {
          seats.delete(seat);
          continue;
        }
        if (seat.#group !== this.#group || !seat.#joined || seat.process.machine.off) continue;
        const path = this.#ether.path(this.process, seat.process);
        if (path.blocked) continue;
        const arrival = path.arrival(sent.length);
        scheduler.schedule(
          arrival - scheduler.now,
          () => seat.process.wake(() => seat.#take({ bytes: sent.slice(), from })),
        );
      }
    });
  }

  receive(): Promise<Datagram> {
    return new Promise((resolve, reject) => {
      if (this.process.dead) return;
      if (this.#closed) return reject(this.#closedError());
      const first = this.#waiting.shift();
      if (first !== undefined) return resolve(first);
      this.#reader = { resolve, reject };
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ether.seats.delete(this);
    this.#reader?.reject(this.#closedError());
  }

  #take(datagram: Datagram): void {
    if (this.#closed || this.process.dead) return;
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader !== undefined) reader.resolve(datagram);
    else if (this.#waiting.length < BUFFER_MAX) this.#waiting.push(datagram);
  }

  #closedError(): ConnectionError {
    return new ConnectionError("closed", `Group "${this.#group}" was left`);
  }
}
