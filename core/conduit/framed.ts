/**
 * The conduit over a byte pipe, used by the unix and tcp fronts: frames of u16 length and, for tcp,
 * encrypted by the cipher that the handshake made. Writes are coalesced by themselves: while one
 * write is under way the messages queue up, and the next write takes them all. Reading is done by
 * whoever iterates, so a slow consumer stops the peer through the kernel's buffers.
 *
 * Who closes goes on reading until the other end has closed too: a socket that is closed with bytes
 * unread resets the connection, and the kernel throws away what it had not sent yet.
 */

import type { BytePipe, Clock, Timer } from "../environment/environment.ts";
import { CallError, ConnectionError, errorText, ProtocolError } from "../errors.ts";
import {
  CLOSE_MS_MAX,
  FRAME_BYTES_MAX,
  GOODBYE_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  MESSAGE_WEIGHT_MIN,
  QUEUE_BYTES_CUT,
  QUEUE_BYTES_HIGH,
  QUEUE_BYTES_MAX,
  REKEY_MS,
  WRITE_BATCH_BYTES,
} from "../limits.ts";
import { Codec } from "../wire/codec.ts";
import { FrameReader } from "../wire/frame_reader.ts";
import { Joiner } from "../wire/joiner.ts";
import type { Message } from "../wire/message.ts";
import { KIND, PRIORITY } from "../wire/message.ts";
import { Outbox } from "../wire/outbox.ts";
import {
  GOODBYE,
  goodbyeText,
  isVerbText,
  type Outgoing,
  PART_HEADER_BYTES_MAX,
  type PartKind,
  readPart,
  REKEY,
  toMessage,
  writePart,
} from "../wire/part.ts";
import type { CloseReason, Conduit, Peer } from "./conduit.ts";

const LENGTH_BYTES = 2;
/** Smaller frames are not worth memory of their own. */
const KEPT_FRAME_BYTES_MIN = 4 * 1024;
/** What a quiet conduit keeps for writing. */
const BATCH_BYTES_KEPT = 8 * 1024;
const EMPTY = new Uint8Array(0);
const READY = Promise.resolve();
const encoder = new TextEncoder();

/** Encrypts and decrypts frames; absent on unix sockets. Both throw when the bytes are not right. */
export interface FrameCipher {
  /** Bytes that sealing adds. */
  readonly overhead: number;
  /** Writes the sealed frame to `out`, which begins where `plain` does; returns its length. */
  seal(plain: Uint8Array, out: Uint8Array): number;
  /** Writes the opened frame to `out`, which begins where `sealed` does; returns its length. */
  open(sealed: Uint8Array, out: Uint8Array): number;
  /** Takes the next key for what we send, or for what we receive. */
  rekeySend(): void;
  rekeyReceive(): void;
  /** Forgets the keys. */
  dispose(): void;
}

export interface FramedOptions {
  readonly pipe: BytePipe;
  readonly peer: Peer;
  readonly clock: Clock;
  readonly cipher?: FrameCipher;
  /** Bytes that came behind the handshake. */
  readonly received?: Uint8Array;
  /** A frame that was begun must end within this time. @default PARTIAL_FRAME_MS_MAX */
  readonly partialMsMax?: number;
}

export class FramedConduit implements Conduit {
  readonly peer: Peer;
  readonly closed: Promise<CloseReason>;
  readonly #pipe: BytePipe;
  readonly #clock: Clock;
  readonly #cipher: FrameCipher | undefined;
  readonly #codec = new Codec();
  readonly #outbox = new Outbox();
  readonly #joiner = new Joiner();
  readonly #reader: FrameReader;
  readonly #roomWaiters: (() => void)[] = [];
  #batch: Uint8Array = EMPTY;
  #writing: Promise<void> | undefined;
  #keyedAt: number;
  #ended: CloseReason | undefined;
  #closing: Promise<void> | undefined;
  #closeTimer: Timer | undefined;
  /** Waits until all that is queued was written. */
  #goodbye: Outgoing | undefined;
  /** Why it will be over, from when the goodbye was written. */
  #said: CloseReason | undefined;
  #isReading = false;
  #isDraining = false;
  #resolveClosed: (reason: CloseReason) => void = () => {};

  constructor(options: FramedOptions) {
    this.peer = options.peer;
    this.#pipe = options.pipe;
    this.#clock = options.clock;
    this.#cipher = options.cipher;
    this.#keyedAt = options.clock.monotonic();
    this.#reader = new FrameReader(options.pipe, options.clock, options);
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
  }

  send(message: Message): Promise<void> {
    if (this.#ended !== undefined || this.#closing !== undefined) {
      return Promise.reject(this.#closedError());
    }
    const raw = message.body instanceof Uint8Array;
    let body: Uint8Array;
    try {
      body = raw ? message.body : this.#encode(message.body);
    } catch (error) {
      return Promise.reject(new CallError("invalid", errorText(error), { cause: error }));
    }
    if (body.length > MESSAGE_BYTES_MAX) {
      const text = `Message of ${body.length} bytes is over the limit of ${MESSAGE_BYTES_MAX}`;
      return Promise.reject(new CallError("invalid", text));
    }
    if (!isVerbText(message.verb)) {
      return Promise.reject(new CallError("invalid", "A verb has at most 255 ASCII characters"));
    }
    if (this.#outbox.bytes > QUEUE_BYTES_MAX) {
      const refusal = this.#refuse(message);
      if (refusal !== undefined) return Promise.reject(refusal);
    }
    message.weight = MESSAGE_WEIGHT_MIN + body.length;
    this.#outbox.push({ ...message, raw, body, sent: 0 });
    if (this.#writing === undefined) this.#writing = this.#write();
    if (this.#outbox.bytes <= QUEUE_BYTES_HIGH) return READY;
    return new Promise((resolve, reject) => {
      this.#roomWaiters.push(() => {
        if (this.#ended === undefined) resolve();
        else reject(this.#closedError());
      });
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, void> {
    while (this.#ended === undefined && !this.#isDraining) {
      let message: Message | undefined;
      try {
        const frame = this.#reader.take() ?? await this.#read();
        if (this.#ended !== undefined) break;
        message = this.#receive(frame);
      } catch (error) {
        this.#end(this.#said ?? failure(error));
      }
      if (message !== undefined) yield message;
    }
    const ended = await this.closed;
    if (ended.error !== undefined) throw ended.error;
  }

  close(text: string): Promise<void> {
    this.#closing ??= this.#sayGoodbye(text);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close("disposed");
  }

  /** One frame's worth; undefined while a message is not complete. */
  #receive(frame: Uint8Array): Message | undefined {
    const plain = this.#open(frame);
    const part = readPart(plain);
    if (part.kind === GOODBYE) {
      const text = goodbyeText(part.body);
      this.#end(this.#said ?? { by: "peer", text, error: undefined });
      return undefined;
    }
    if (part.kind === REKEY) {
      this.#cipher?.rekeyReceive();
      return undefined;
    }
    const whole = this.#joiner.take(part);
    if (whole === undefined) return undefined;
    const weight = MESSAGE_WEIGHT_MIN + whole.body.length;
    return toMessage(whole.first, this.#decode(whole.first.raw, whole.body), weight);
  }

  /**
   * The plain frame. A small one, and one that most likely is a part of a message, is opened where it
   * lies, in the read buffer, which the next read overwrites; another large one into memory of its
   * own, which its body may keep.
   */
  #open(frame: Uint8Array): Uint8Array {
    const cipher = this.#cipher;
    if (cipher === undefined) return frame;
    const bytes = frame.length - cipher.overhead;
    if (bytes < 0) throw new ProtocolError(`Sealed frame of ${frame.length} bytes is too short`);
    const isPart = frame.length === FRAME_BYTES_MAX || this.#joiner.reserved > 0;
    const isLent = bytes < KEPT_FRAME_BYTES_MIN || isPart;
    const out = isLent ? frame : new Uint8Array(bytes);
    return out.subarray(0, cipher.open(frame, out));
  }

  /** Bytes of a body that are handed out must outlive the read buffer. */
  #decode(raw: boolean, body: Uint8Array): unknown {
    const owned = !this.#reader.lends(body);
    if (!raw) return body.length === 0 ? undefined : this.#codec.decode(body, { owned });
    return owned ? body : body.slice();
  }

  #encode(body: unknown): Uint8Array {
    return body === undefined ? EMPTY : this.#codec.encode(body);
  }

  /** Writes until nothing is queued. Only one runs at a time. */
  async #write(): Promise<void> {
    try {
      while (!this.#outbox.empty || this.#goodbye !== undefined) {
        const batch = this.#fillBatch();
        await this.#pipe.write(batch);
        if (this.#outbox.bytes <= QUEUE_BYTES_HIGH) this.#wakeRoomWaiters();
      }
      this.#writing = undefined;
    } catch (error) {
      this.#writing = undefined;
      this.#end(failure(error));
    }
  }

  /** Takes parts, highest priority first, until the batch is full or nothing is left. */
  #fillBatch(): Uint8Array {
    const overhead = this.#cipher?.overhead ?? 0;
    const wanted = Math.min(WRITE_BATCH_BYTES, Math.max(BATCH_BYTES_KEPT, 2 * this.#outbox.bytes));
    const partMax = FRAME_BYTES_MAX - overhead;
    // A conduit that has turned quiet gives its large buffer back at its next message.
    if (
      this.#batch.length < wanted || (wanted < this.#batch.length && wanted === BATCH_BYTES_KEPT)
    ) {
      this.#batch = new Uint8Array(wanted);
    }
    const batch = this.#batch;
    let at = this.#rekeyWhenDue(batch);
    for (;;) {
      const next = this.#outbox.peek();
      if (next === undefined) break;
      const room = Math.min(partMax, batch.length - at - LENGTH_BYTES - overhead);
      const left = next.body.length - next.sent;
      // What fits a frame is not cut: it goes with the next batch.
      if (room < Math.min(partMax, PART_HEADER_BYTES_MAX + left)) break;
      const before = next.sent;
      const length = this.#writeFrame(next, batch, at + LENGTH_BYTES, room);
      batch[at] = length >>> 8;
      batch[at + 1] = length;
      at += LENGTH_BYTES + length;
      this.#outbox.advance(next, next.sent - before);
    }
    return batch.subarray(0, this.#outbox.empty ? this.#addGoodbye(batch, at) : at);
  }

  /** Behind everything that was queued; in a batch of its own when this one is full. */
  #addGoodbye(batch: Uint8Array, at: number): number {
    const goodbye = this.#goodbye;
    if (goodbye === undefined || batch.length - at < 2 * GOODBYE_BYTES_MAX) return at;
    this.#goodbye = undefined;
    return this.#addOwn(goodbye, batch, at);
  }

  #addOwn(outgoing: Outgoing, batch: Uint8Array, at: number): number {
    const start = at + LENGTH_BYTES;
    const length = this.#writeFrame(outgoing, batch, start, 2 * GOODBYE_BYTES_MAX);
    batch[at] = length >>> 8;
    batch[at + 1] = length;
    return start + length;
  }

  /** By time: a conduit that sends little must not keep one key for days. */
  #rekeyWhenDue(batch: Uint8Array): number {
    if (this.#cipher === undefined) return 0;
    const now = this.#clock.monotonic();
    if (now - this.#keyedAt < REKEY_MS) return 0;
    this.#keyedAt = now;
    const end = this.#addOwn(own(REKEY, EMPTY), batch, 0);
    this.#cipher.rekeySend();
    return end;
  }

  /** The part is written where the frame will be and sealed in place. */
  #writeFrame(next: Outgoing, batch: Uint8Array, at: number, room: number): number {
    const length = writePart(next, batch, at, room);
    if (this.#cipher === undefined) return length;
    return this.#cipher.seal(batch.subarray(at, at + length), batch.subarray(at));
  }

  async #sayGoodbye(text: string): Promise<void> {
    if (this.#ended !== undefined) return;
    const ended = { by: "us", text, error: undefined } as const;
    this.#closeTimer = this.#clock.after(CLOSE_MS_MAX, () => this.#end(ended));
    const body = new Uint8Array(GOODBYE_BYTES_MAX);
    this.#goodbye = own(GOODBYE, body.subarray(0, encoder.encodeInto(text, body).written));
    if (this.#writing === undefined) this.#writing = this.#write();
    await Promise.race([this.#writing, this.closed]);
    this.#said = ended;
    if (this.#ended === undefined && !this.#isReading) void this.#drain(ended);
    await this.closed;
  }

  /** Nobody iterates, or not now: reads and forgets until the other end has closed. */
  async #drain(ended: CloseReason): Promise<void> {
    this.#isDraining = true;
    try {
      while (this.#ended === undefined) {
        this.#receive(this.#reader.take() ?? await this.#read());
      }
    } catch {
      // All was said; how the other end leaves does not matter.
      this.#end(ended);
    }
  }

  async #read(): Promise<Uint8Array> {
    this.#isReading = true;
    const frame = await this.#reader.read();
    this.#isReading = false;
    return frame;
  }

  /** What to say to one more message while too much is queued. */
  #refuse({ kind, priority }: Message): Error | undefined {
    const { bytes } = this.#outbox;
    if (kind === KIND.request || kind === KIND.event) {
      const overtakes = priority === PRIORITY.control;
      if (overtakes && bytes <= QUEUE_BYTES_MAX + QUEUE_BYTES_HIGH) return undefined;
      return new CallError("busy", "Queue of this conduit is full");
    }
    if (bytes <= QUEUE_BYTES_CUT) return undefined;
    this.#end(failure(new ConnectionError("other", "Peer does not take what it asked for")));
    return this.#closedError();
  }

  #end(reason: CloseReason): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#closeTimer?.cancel();
    this.#reader.dispose();
    this.#pipe.close();
    this.#outbox.clear();
    this.#goodbye = undefined;
    this.#cipher?.dispose();
    this.#wakeRoomWaiters();
    this.#resolveClosed(reason);
  }

  #wakeRoomWaiters(): void {
    if (this.#roomWaiters.length === 0) return;
    for (const wake of this.#roomWaiters.splice(0)) wake();
  }

  #closedError(): ConnectionError {
    const why = this.#ended?.text ?? "closing";
    return new ConnectionError("closed", `Conduit is closed: ${why}`, {
      cause: this.#ended?.error,
    });
  }
}

function failure(error: unknown): CloseReason {
  const known = error instanceof Error ? error : new ConnectionError("other", String(error));
  return { by: "failure", text: errorText(error), error: known };
}

/** A part of the conduit's own. */
function own(kind: PartKind, body: Uint8Array): Outgoing {
  const priority = PRIORITY.bulk;
  return {
    kind,
    priority,
    stream: 0,
    verb: "",
    deadlineMs: 0,
    signed: false,
    raw: true,
    body,
    sent: 0,
  };
}
