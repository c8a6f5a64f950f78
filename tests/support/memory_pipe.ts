/**
 * A connected pair of byte pipes in memory, with a bounded buffer each way, that a test can watch,
 * change and cut. Nothing in it waits for anything but the other end.
 */

import type { BytePipe } from "../../core/environment/environment.ts";
import { ConnectionError } from "../../core/errors.ts";

export interface MemoryPipeOptions {
  /** Bytes that are taken and not read yet, each way. @default 64 KiB */
  readonly capacity?: number;
  /** Bytes that one read gives at most. @default all that is here */
  readonly readMax?: number;
  /** Sees each write of the first end before the other end can read it, and may give other bytes. */
  readonly tamper?: (bytes: Uint8Array) => Uint8Array;
  /** As `tamper`, for what the second end writes. */
  readonly tamperBack?: (bytes: Uint8Array) => Uint8Array;
}

export function memoryPipes(options: MemoryPipeOptions = {}): [MemoryPipe, MemoryPipe] {
  const there = new Way(options, options.tamper);
  const back = new Way(options, options.tamperBack);
  return [new MemoryPipe("second:1", back, there), new MemoryPipe("first:1", there, back)];
}

export class MemoryPipe implements BytePipe {
  readonly local = "here:1";
  readonly #inbound: Way;
  readonly #outbound: Way;

  constructor(readonly remote: string, inbound: Way, outbound: Way) {
    this.#inbound = inbound;
    this.#outbound = outbound;
  }

  /** Bytes that were written here and taken. */
  get written(): number {
    return this.#outbound.taken;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#inbound.read(into);
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#outbound.write(bytes);
  }

  closeWrite(): Promise<void> {
    this.#outbound.end();
    return Promise.resolve();
  }

  reset(): void {
    this.close();
  }

  close(): void {
    this.#outbound.end();
    this.#inbound.abandon();
  }
}

class Way {
  readonly #options: MemoryPipeOptions;
  readonly #tamper: ((bytes: Uint8Array) => Uint8Array) | undefined;
  #chunks: Uint8Array[] = [];
  #unread = 0;
  #ended = false;
  #abandoned = false;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;
  taken = 0;

  constructor(options: MemoryPipeOptions, tamper?: (bytes: Uint8Array) => Uint8Array) {
    this.#options = options;
    this.#tamper = tamper;
  }

  async write(bytes: Uint8Array): Promise<void> {
    const sent = this.#tamper?.(bytes.slice()) ?? bytes;
    const capacity = this.#options.capacity ?? 64 * 1024;
    for (let at = 0; at < sent.length;) {
      this.#refuseClosed();
      if (this.#unread >= capacity) {
        await new Promise<void>((resolve) => this.#wakeWriter = resolve);
        continue;
      }
      const chunk = sent.slice(at, at + capacity - this.#unread);
      at += chunk.length;
      this.#unread += chunk.length;
      this.taken += chunk.length;
      this.#chunks.push(chunk);
      this.#wake();
    }
    this.#refuseClosed();
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#chunks.length === 0) {
      if (this.#ended || this.#abandoned) return null;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
    const head = this.#chunks[0] as Uint8Array;
    const most = Math.min(into.length, this.#options.readMax ?? into.length);
    const part = head.subarray(0, most);
    into.set(part);
    if (part.length === head.length) this.#chunks.shift();
    else this.#chunks[0] = head.subarray(part.length);
    this.#unread -= part.length;
    this.#wake();
    return part.length;
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  abandon(): void {
    this.#abandoned = true;
    this.#chunks = [];
    this.#wake();
  }

  #refuseClosed(): void {
    if (this.#ended || this.#abandoned) throw new ConnectionError("closed", "Pipe is closed");
  }

  #wake(): void {
    const wakes = [this.#wakeReader, this.#wakeWriter];
    this.#wakeReader = this.#wakeWriter = undefined;
    for (const wake of wakes) wake?.();
  }
}
