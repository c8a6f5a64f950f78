/**
 * One direction of a simulated pipe: what a kernel's send and receive buffers and the wire between
 * them do. Bytes are taken while fewer than `capacity` are on their way or unread, arrive in order,
 * and come to a reader that is awake. Bytes that arrive where nobody reads any more come back as a
 * reset; where the machine is off they vanish.
 */
import { connectionError } from "../../core/environment/real_errors.ts";
import { ConnectionError } from "../../core/errors.ts";
import type { SimulatedProcess } from "./machine.ts";
import type { Path } from "./path.ts";
import type { Scheduler } from "./scheduler.ts";
import { systemError } from "./system_error.ts";
import type { Trace } from "./trace.ts";

export interface FlowOptions {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly path: Path;
  /** The way that window updates and resets take. */
  readonly back: Path;
  readonly writer: SimulatedProcess;
  readonly reader: SimulatedProcess;
  readonly capacity: number;
  /** What each end calls the other, for error texts. */
  readonly readerText: string;
  readonly writerText: string;
}

/** Null is the end of file. */
type Segment = Uint8Array | null;

interface PendingWrite {
  readonly bytes: Uint8Array;
  at: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface PendingRead {
  readonly into: Uint8Array;
  readonly resolve: (count: number | null) => void;
  readonly reject: (error: unknown) => void;
}

export class Flow {
  readonly #options: FlowOptions;
  #unread = 0;
  #arrived: Uint8Array[] = [];
  #headAt = 0;
  #ended = false;
  #stalled: Segment[] = [];
  #batch: Segment[] | undefined;
  #lastArrival = -1;
  #write: PendingWrite | undefined;
  #read: PendingRead | undefined;
  #finished = false;
  #abandoned = false;
  #windowOnItsWay = false;
  #broken: "ECONNRESET" | undefined;
  #writerReset = false;

  constructor(options: FlowOptions) {
    this.#options = options;
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#finished) return reject(this.#closedError());
      if (this.#broken !== undefined || this.#writerReset) return reject(this.#writeError());
      if (this.#write !== undefined) {
        return reject(new Error(`A write to ${this.#options.readerText} is under way already`));
      }
      this.#write = { bytes, at: 0, resolve, reject };
      this.#pump();
    });
  }

  read(into: Uint8Array): Promise<number | null> {
    return new Promise((resolve, reject) => {
      if (this.#read !== undefined) {
        return reject(new Error(`A read from ${this.#options.writerText} is under way already`));
      }
      this.#read = { into, resolve, reject };
      this.#serve();
    });
  }

  /** The writer closed: what was taken still travels, then the end of file. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#send(null);
    if (!this.#options.writer.dead) this.#write?.reject(this.#closedError());
    this.#write = undefined;
  }

  /** The writer broke it off: what is on its way is lost, and the reader learns of it. */
  reset(): void {
    this.#finished = true;
    if (!this.#options.writer.dead) this.#write?.reject(this.#closedError());
    this.#write = undefined;
    this.break();
  }

  /** The reader closed. */
  abandon(): void {
    if (this.#abandoned) return;
    this.#abandoned = true;
    const unread = this.#arrived.length > 0;
    this.#arrived = [];
    if (!this.#options.reader.dead) this.#read?.resolve(null);
    this.#read = undefined;
    if (unread) this.#resetWriter();
  }

  /** Both ends see a reset; what was on its way is lost. */
  break(): void {
    if (this.#broken !== undefined) return;
    this.#broken = "ECONNRESET";
    this.#arrived = [];
    const { reader, writer } = this.#options;
    reader.wake(() => this.#serve());
    writer.wake(() => this.#failWrite());
  }

  #pump(): void {
    const write = this.#write;
    if (write === undefined) return;
    const count = Math.min(
      this.#options.capacity - this.#unread,
      write.bytes.length - write.at,
    );
    if (count > 0) {
      this.#unread += count;
      this.#send(write.bytes.slice(write.at, write.at + count));
      write.at += count;
    }
    if (write.at < write.bytes.length) return;
    this.#write = undefined;
    write.resolve();
  }

  #send(segment: Segment): void {
    const { path, scheduler } = this.#options;
    const time = Math.max(path.arrival(segment?.length ?? 0), this.#lastArrival);
    if (this.#batch !== undefined && time === this.#lastArrival) {
      this.#batch.push(segment);
      return;
    }
    const batch = [segment];
    this.#batch = batch;
    this.#lastArrival = time;
    scheduler.scheduleAt(time, () => {
      if (this.#batch === batch) this.#batch = undefined;
      for (const each of batch) this.#arrive(each);
    });
  }

  #arrive(segment: Segment): void {
    // What follows a lost segment waits with it, or it would overtake.
    if (this.#stalled.length === 0 && !this.#options.path.blocked) return this.#deliver(segment);
    this.#stalled.push(segment);
    if (this.#stalled.length === 1) this.#options.path.whenOpen(() => this.#sendAgain());
  }

  #sendAgain(): void {
    const stalled = this.#stalled;
    this.#stalled = [];
    for (const segment of stalled) this.#deliver(segment);
  }

  #deliver(segment: Segment): void {
    const { scheduler, trace, name, reader } = this.#options;
    if (reader.machine.off || this.#broken !== undefined) return;
    trace.add(scheduler.now, name, segment ?? undefined);
    if (this.#abandoned || reader.dead) {
      if (segment !== null) this.#resetWriter();
      return;
    }
    if (segment === null) this.#ended = true;
    else this.#arrived.push(segment);
    reader.wake(() => this.#serve());
  }

  #serve(): void {
    const read = this.#read;
    if (read === undefined) return;
    let result: number | null | undefined;
    if (this.#abandoned) result = null;
    else if (this.#broken !== undefined) return this.#failRead(read);
    else if (this.#arrived.length > 0) result = this.#copyInto(read.into);
    else if (this.#ended) result = null;
    if (result === undefined) return;
    this.#read = undefined;
    read.resolve(result);
  }

  #copyInto(into: Uint8Array): number {
    let count = 0;
    while (count < into.length && this.#arrived.length > 0) {
      const head = this.#arrived[0]!;
      const part = head.subarray(this.#headAt, this.#headAt + into.length - count);
      into.set(part, count);
      count += part.length;
      this.#headAt += part.length;
      if (this.#headAt < head.length) break;
      this.#arrived.shift();
      this.#headAt = 0;
    }
    this.#unread -= count;
    if (this.#write !== undefined && !this.#windowOnItsWay) this.#openWindow();
    return count;
  }

  #openWindow(): void {
    const { scheduler, back, writer } = this.#options;
    this.#windowOnItsWay = true;
    scheduler.scheduleAt(back.arrival(0), () =>
      back.whenOpen(() => {
        this.#windowOnItsWay = false;
        writer.wake(() => this.#pump());
      }));
  }

  #resetWriter(): void {
    const { scheduler, back, writer } = this.#options;
    scheduler.scheduleAt(back.arrival(0), () => {
      // A reset that is lost comes again with the next bytes.
      if (back.blocked || this.#writerReset) return;
      this.#writerReset = true;
      writer.wake(() => this.#failWrite());
    });
  }

  #failWrite(): void {
    this.#write?.reject(this.#writeError());
    this.#write = undefined;
  }

  #failRead(read: PendingRead): void {
    this.#read = undefined;
    const action = `read from ${this.#options.writerText}`;
    read.reject(connectionError(action, systemError("ECONNRESET")));
  }

  #writeError(): Error {
    return connectionError(`write to ${this.#options.readerText}`, systemError("ECONNRESET"));
  }

  #closedError(): Error {
    const text = this.#options.readerText;
    return new ConnectionError("closed", `Could not write to ${text}: it was closed here`);
  }
}
