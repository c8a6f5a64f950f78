/** A network of one host in memory, whose connections may come from any address and be tampered with. */

import type {
  Address,
  BytePipe,
  Network,
  PipeListener,
} from "../../core/environment/environment.ts";
import { addressText } from "../../core/environment/real_network.ts";
import { ConnectionError } from "../../core/errors.ts";
import { type MemoryPipe, type MemoryPipeOptions, memoryPipes } from "./memory_pipe.ts";

export class MemoryNetwork implements Network {
  /** Of the pipes that are made from now on. */
  pipes: MemoryPipeOptions = {};
  readonly #listeners = new Map<string, MemoryListener>();
  #port = 50_000;

  dial(address: Address, options: { signal?: AbortSignal } = {}): Promise<BytePipe> {
    return Promise.resolve().then(() => {
      options.signal?.throwIfAborted();
      return this.connect(addressText(address), `127.0.0.1:${++this.#port}`);
    });
  }

  listen(address: Address): Promise<PipeListener> {
    const port = address.transport === "tcp" && address.port === 0 ? ++this.#port : undefined;
    const bound = port === undefined ? address : { ...address, port } as Address;
    const text = addressText(bound);
    if (this.#listeners.has(text)) {
      const taken = `Could not listen on "${text}": it is taken`;
      return Promise.reject(new ConnectionError("address-taken", taken));
    }
    const listener = new MemoryListener(bound, () => this.#listeners.delete(text));
    this.#listeners.set(text, listener);
    return Promise.resolve(listener);
  }

  addresses(): readonly string[] {
    return [];
  }

  multicast(): never {
    throw new ConnectionError("no-route", "A network in memory has no groups");
  }

  /** The dialler's end of a connection that the listener sees coming from `remote`. */
  connect(to: string, remote: string): MemoryPipe {
    const listener = this.#listeners.get(to);
    if (listener === undefined) {
      throw new ConnectionError("refused", `Could not dial "${to}": connection refused`);
    }
    const [near, far] = memoryPipes(this.pipes);
    listener.add(Object.assign(far, { remote }));
    return near;
  }
}

class MemoryListener implements PipeListener {
  readonly #backlog: BytePipe[] = [];
  readonly #release: () => void;
  #wake: (() => void) | undefined;
  closed = false;

  constructor(readonly address: Address, release: () => void) {
    this.#release = release;
  }

  async accept(): Promise<BytePipe> {
    while (!this.closed) {
      const pipe = this.#backlog.shift();
      if (pipe !== undefined) return pipe;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    throw new ConnectionError("closed", "Listener is closed");
  }

  add(pipe: BytePipe): void {
    this.#backlog.push(pipe);
    this.#wake?.();
  }

  close(): void {
    this.closed = true;
    this.#release();
    this.#wake?.();
  }
}
