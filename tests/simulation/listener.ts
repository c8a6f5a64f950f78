/** A simulated listening socket: a backlog that the kernel fills even while the process is frozen. */
import type { Address, BytePipe, PipeListener } from "../../core/environment/environment.ts";
import { addressText } from "../../core/environment/real_network.ts";
import { ConnectionError } from "../../core/errors.ts";
import type { SimulatedProcess } from "./machine.ts";
import type { SimulatedPipe } from "./pipe.ts";

/** Connections that wait for accept; a SYN above it is lost. */
const BACKLOG_MAX = 511;

interface Waiting {
  readonly resolve: (pipe: BytePipe) => void;
  readonly reject: (error: unknown) => void;
}

export class SimulatedListener implements PipeListener {
  readonly address: Address;
  readonly process: SimulatedProcess;
  readonly #release: () => void;
  readonly #backlog: SimulatedPipe[] = [];
  #waiting: Waiting[] = [];
  #closed = false;

  /** `release` gives up the port or path. */
  constructor(process: SimulatedProcess, address: Address, release: () => void) {
    this.process = process;
    this.address = address;
    this.#release = release;
    process.listeners.add(this);
  }

  get closed(): boolean {
    return this.#closed;
  }

  get full(): boolean {
    return this.#backlog.length >= BACKLOG_MAX;
  }

  accept(): Promise<BytePipe> {
    return new Promise((resolve, reject) => {
      if (this.process.dead) return;
      if (this.#closed) return reject(this.#closedError());
      this.#waiting.push({ resolve, reject });
      this.#serve();
    });
  }

  close(): void {
    if (this.#closed || this.process.dead) return;
    this.#release();
    this.drop();
    for (const { reject } of this.#waiting) reject(this.#closedError());
    this.#waiting = [];
  }

  /** What the kernel does when the process dies: a unix path stays behind. */
  drop(): void {
    this.#closed = true;
    this.process.listeners.delete(this);
    for (const pipe of this.#backlog) pipe.close();
  }

  offer(pipe: SimulatedPipe): void {
    this.#backlog.push(pipe);
    this.process.wake(() => this.#serve());
  }

  #serve(): void {
    while (this.#backlog.length > 0 && this.#waiting.length > 0) {
      this.#waiting.shift()!.resolve(this.#backlog.shift()!);
    }
  }

  #closedError(): ConnectionError {
    const text = addressText(this.address);
    return new ConnectionError("closed", `Could not accept on "${text}": the listener is closed`);
  }
}
