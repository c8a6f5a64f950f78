/** Both ends of a simulated connection: two flows, one each way. */
import type { BytePipe } from "../../core/environment/environment.ts";
import { Flow, type FlowOptions } from "./flow.ts";
import type { SimulatedProcess } from "./machine.ts";

/** Like a kernel's send and receive buffer together. */
export const PIPE_BYTES = 256 * 1024;

export class SimulatedPipe implements BytePipe {
  readonly remote: string;
  readonly local: string;
  readonly process: SimulatedProcess;
  readonly peer: SimulatedProcess;
  readonly #inbound: Flow;
  readonly #outbound: Flow;
  #closed = false;

  constructor(
    ends: { process: SimulatedProcess; peer: SimulatedProcess; local: string; remote: string },
    flows: { inbound: Flow; outbound: Flow },
  ) {
    this.process = ends.process;
    this.peer = ends.peer;
    this.local = ends.local;
    this.remote = ends.remote;
    this.#inbound = flows.inbound;
    this.#outbound = flows.outbound;
    this.process.pipes.add(this);
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.process.dead) return new Promise(() => {});
    if (this.#closed) return Promise.resolve(null);
    return this.#inbound.read(into);
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.process.dead) return new Promise(() => {});
    return this.#outbound.write(bytes);
  }

  closeWrite(): Promise<void> {
    if (this.process.dead) return new Promise(() => {});
    if (!this.#closed) this.#outbound.finish();
    return Promise.resolve();
  }

  reset(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.process.pipes.delete(this);
    if (this.process.machine.off) return;
    this.#inbound.abandon();
    this.#inbound.break();
    this.#outbound.reset();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.process.pipes.delete(this);
    // Without power there is no kernel left to say goodbye.
    if (this.process.machine.off) return;
    this.#outbound.finish();
    this.#inbound.abandon();
  }

  /** Both ends see "reset". */
  break(): void {
    this.#inbound.break();
    this.#outbound.break();
  }
}

type Shared = Pick<FlowOptions, "scheduler" | "trace" | "capacity">;
type Way = Pick<FlowOptions, "path" | "back">;

/** The dialer's end first. */
export function connectedPipes(
  dialer: { process: SimulatedProcess; text: string },
  listener: { process: SimulatedProcess; text: string },
  options: Shared & Way & { name: string },
): [SimulatedPipe, SimulatedPipe] {
  const { path, back, name, ...shared } = options;
  const there = new Flow({
    ...shared,
    name: `${dialer.process.machine.name}>${listener.process.machine.name}${name}`,
    path,
    back,
    writer: dialer.process,
    reader: listener.process,
    writerText: dialer.text,
    readerText: listener.text,
  });
  const here = new Flow({
    ...shared,
    name: `${listener.process.machine.name}>${dialer.process.machine.name}${name}`,
    path: back,
    back: path,
    writer: listener.process,
    reader: dialer.process,
    writerText: listener.text,
    readerText: dialer.text,
  });
  return [
    new SimulatedPipe({
      process: dialer.process,
      peer: listener.process,
      local: dialer.text,
      remote: listener.text,
    }, { inbound: here, outbound: there }),
    new SimulatedPipe({
      process: listener.process,
      peer: dialer.process,
      local: listener.text,
      remote: dialer.text,
    }, { inbound: there, outbound: here }),
  ];
}
