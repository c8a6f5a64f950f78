/**
 * A simulated machine (its name, addresses, disk, clock's error) and the processes on it. Whatever
 * is asked of a dead process never settles, and nothing that it armed ever fires; a frozen one
 * (SIGSTOP, a stalled virtual machine) gets all of it, in order, when it is thawed.
 */
import type { Timer } from "../../core/environment/environment.ts";
import type { Disk } from "./disk.ts";
import type { SimulatedListener } from "./listener.ts";
import type { SimulatedPipe } from "./pipe.ts";
import type { Owner, Scheduler } from "./scheduler.ts";

/** Where the ports that listeners and dialers get by themselves begin. */
const EPHEMERAL_PORT_FIRST = 40_000;

export interface Port {
  readonly address: string;
  readonly port: number;
  readonly listener: SimulatedListener;
}

export class Machine {
  readonly name: string;
  /** Best first. */
  readonly addresses: readonly string[];
  readonly disk: Disk;
  readonly variables = new Map<string, string>();
  readonly ports: Port[] = [];
  readonly processes = new Map<number, SimulatedProcess>();
  /** What its wall clock is ahead of true time. */
  skewMs = 0;
  /** Processes so far: each gets its own random stream. */
  started = 0;
  /** Without power: what arrives vanishes. */
  off = false;
  #port = EPHEMERAL_PORT_FIRST;

  constructor(name: string, addresses: readonly string[], disk: Disk) {
    this.name = name;
    this.addresses = addresses;
    this.disk = disk;
  }

  nextPort(): number {
    return this.#port++;
  }
}

export class SimulatedProcess implements Owner {
  readonly machine: Machine;
  readonly pid: number;
  readonly started: number;
  readonly pipes = new Set<SimulatedPipe>();
  readonly listeners = new Set<SimulatedListener>();
  readonly signals = new Map<string, Set<() => void>>();
  readonly #scheduler: Scheduler;
  #dead = false;
  #frozen = false;
  #held: (() => void)[] = [];

  constructor(machine: Machine, pid: number, scheduler: Scheduler) {
    this.machine = machine;
    this.pid = pid;
    this.#scheduler = scheduler;
    this.started = scheduler.now;
    machine.processes.set(pid, this);
  }

  get dead(): boolean {
    return this.#dead;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  hold(run: () => void): void {
    this.#held.push(run);
  }

  /** Runs now, or when thawed, or never: for what the kernel tells the process. */
  wake(run: () => void): void {
    if (this.#dead) return;
    if (this.#frozen) this.#held.push(run);
    else run();
  }

  after(ms: number, run: () => void): Timer {
    if (this.#dead) return { cancel: () => {} };
    return this.#scheduler.schedule(ms, run, this);
  }

  /** Does `run` after `ms`: how every operation of a process that is no pure computation goes. */
  later<T>(ms: number, run: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.after(ms, () => {
        try {
          resolve(run());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  freeze(): void {
    this.#frozen = true;
  }

  thaw(): void {
    if (!this.#frozen) return;
    this.#frozen = false;
    const held = this.#held;
    this.#held = [];
    for (const run of held) this.after(0, run);
  }

  /** SIGKILL: the kernel closes what the process had. Without power nobody does, so nobody hears. */
  die(options: { powerLost: boolean }): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#held = [];
    this.machine.processes.delete(this.pid);
    const { ports } = this.machine;
    for (let i = ports.length - 1; i >= 0; i--) {
      if (ports[i]!.listener.process === this) ports.splice(i, 1);
    }
    for (const listener of [...this.listeners]) listener.drop();
    if (!options.powerLost) {
      for (const pipe of [...this.pipes]) pipe.close();
    }
    this.pipes.clear();
    this.signals.clear();
  }

  /** Runs the handlers, or does what the signal does by default. */
  signal(name: string): void {
    if (name === "SIGKILL") return this.die({ powerLost: false });
    if (name === "SIGSTOP") return this.freeze();
    if (name === "SIGCONT") return this.thaw();
    const handlers = this.signals.get(name);
    if (handlers !== undefined && handlers.size > 0) {
      for (const handler of [...handlers]) this.after(0, handler);
    } else if (name !== "SIGWINCH" && name !== "SIGCHLD") {
      this.die({ powerLost: false });
    }
  }
}
