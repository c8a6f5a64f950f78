/**
 * The conduit over a byte pipe, used by the unix and tcp fronts: frames of u16 length and, for tcp,
 * encrypted by the cipher that the handshake made. Writes are coalesced by themselves: while one
 * write is under way the messages queue up, and the next write takes them all. Reading is done by
 * whoever iterates, so a slow consumer stops the peer through the kernel's buffers.
 */

import type { BytePipe, Clock, Timer } from "../environment/environment.ts";
import { CallError, ConnectionError, errorText, ProtocolError } from "../errors.ts";
import {
  CLOSE_MS_MAX,
  FRAME_BYTES_MAX,
  GOODBYE_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  MESSAGE_WEIGHT_MIN,
  QUEUE_BYTES_HIGH,
  QUEUE_BYTES_MAX,
  REKEY_MS,
  WRITE_BATCH_BYTES,
} from "../limits.ts";
import { Codec } from "../wire/codec.ts";
import { FrameReader } from "../wire/frame_reader.ts";
import { Joiner } from "../wire/joiner.ts";
import type { Message } from "../wire/message.ts";
import { PRIORITY } from "../wire/message.ts";
import { Outbox } from "../wire/outbox.ts";
import {
  GOODBYE,
  goodbyeText,
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
/** Smaller raw bodies are copied, so that they do not keep a whole read buffer alive. */
const KEPT_VIEW_BYTES_MIN = 16 * 1024;
/** What a quiet conduit keeps for writing. */
const BATCH_BYTES_KEPT = 8 * 1024;
/** A shorter rest of a batch is not worth cutting a long message for. */
const CUT_BYTES_MIN = 4 * 1024;
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
  #resolveClosed: (reason: CloseReason) => void = () => {};

  constructor(options: FramedOptions) {
    this.peer = options.peer;
    this.#pipe = options.pipe;
    this.#clock = options.clock;
    this.#cipher = options.cipher;
    this.#keyedAt = options.clock.monotonic();
    this.#reader = new FrameReader(options.pipe, options.clock, options.received);
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
    if (this.#outbox.bytes > QUEUE_BYTES_MAX) {
      return Promise.reject(new CallError("busy", "Queue of this conduit is full"));
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
    while (this.#ended === undefined) {
      let frame: Uint8Array | undefined;
      try {
        frame = this.#reader.take() ?? await this.#reader.read();
        if (this.#ended !== undefined) break;
        const message = this.#receive(frame);
        if (message !== undefined) yield message;
      } catch (error) {
        this.#end({
          by: "failure",
          text: errorText(error),
          error: error instanceof Error ? error : new ConnectionError("other", String(error)),
        });
      }
    }
    const ended = this.#ended as CloseReason;
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
      this.#end({ by: "peer", text: goodbyeText(part.body), error: undefined });
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

  /** The plain frame, opened where it lies: a view that the next read overwrites. */
  #open(frame: Uint8Array): Uint8Array {
    if (this.#cipher === undefined) return frame;
    if (frame.length < this.#cipher.overhead) {
      throw new ProtocolError(`Sealed frame of ${frame.length} bytes is too short`);
    }
    return frame.subarray(0, this.#cipher.open(frame, frame));
  }

  /** Bytes of a body that are handed out must outlive the read buffer. */
  #decode(raw: boolean, body: Uint8Array): unknown {
    if (!raw) return body.length === 0 ? undefined : this.#codec.decode(body);
    if (!this.#reader.lends(body)) return body;
    if (body.length < KEPT_VIEW_BYTES_MIN) return body.slice();
    this.#reader.giveUpBuffer();
    return body;
  }

  #encode(body: unknown): Uint8Array {
    return body === undefined ? EMPTY : this.#codec.encode(body).slice();
  }

  /** Writes until nothing is queued. Only one runs at a time. */
  async #write(): Promise<void> {
    try {
      while (!this.#outbox.empty) {
        const batch = this.#fillBatch();
        await this.#pipe.write(batch);
        if (this.#outbox.bytes <= QUEUE_BYTES_HIGH) this.#wakeRoomWaiters();
      }
      this.#writing = undefined;
    } catch (error) {
      this.#writing = undefined;
      this.#end({
        by: "failure",
        text: errorText(error),
        error: error instanceof Error ? error : new ConnectionError("other", String(error)),
      });
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
      if (room < PART_HEADER_BYTES_MAX + Math.min(left, CUT_BYTES_MIN)) break;
      const before = next.sent;
      const length = this.#writeFrame(next, batch, at + LENGTH_BYTES, room);
      batch[at] = length >>> 8;
      batch[at + 1] = length;
      at += LENGTH_BYTES + length;
      this.#outbox.advance(next, next.sent - before);
    }
    return batch.subarray(0, at);
  }

  /** By time: a conduit that sends little must not keep one key for days. */
  #rekeyWhenDue(batch: Uint8Array): number {
    if (this.#cipher === undefined) return 0;
    const now = this.#clock.monotonic();
    if (now - this.#keyedAt < REKEY_MS) return 0;
    this.#keyedAt = now;
    const length = this.#writeFrame(own(REKEY, EMPTY), batch, LENGTH_BYTES, BATCH_BYTES_KEPT / 2);
    this.#cipher.rekeySend();
    batch[0] = length >>> 8;
    batch[1] = length;
    return LENGTH_BYTES + length;
  }

  /** The part is written where the frame will be and sealed in place. */
  #writeFrame(next: Outgoing, batch: Uint8Array, at: number, room: number): number {
    const length = writePart(next, batch, at, room);
    if (this.#cipher === undefined) return length;
    return this.#cipher.seal(batch.subarray(at, at + length), batch.subarray(at));
  }

  async #sayGoodbye(text: string): Promise<void> {
    if (this.#ended !== undefined) return;
    const body = encoder.encode(text).subarray(0, GOODBYE_BYTES_MAX);
    this.#outbox.push(own(GOODBYE, body));
    const ended = { by: "us", text, error: undefined } as const;
    this.#closeTimer = this.#clock.after(CLOSE_MS_MAX, () => this.#end(ended));
    if (this.#writing === undefined) this.#writing = this.#write();
    await Promise.race([this.#writing, this.closed]);
    this.#end(ended);
  }

  #end(reason: CloseReason): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#closeTimer?.cancel();
    this.#reader.dispose();
    this.#pipe.close();
    this.#outbox.clear();
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

/** A part of the conduit's own. Goodbye goes last, behind everything that was queued. */
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
