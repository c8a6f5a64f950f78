/**
 * Cuts a byte pipe into frames of u16 length. The buffer starts small, because a daemon holds many
 * quiet conduits, grows while reads fill it and shrinks when they no longer do. A frame that was
 * begun must be finished in time (slow-loris). That time is counted in ticks of a timer of our own,
 * not by the clock, so that a process that was itself stopped for long does not judge its peers.
 */

import type { BytePipe, Clock, Timer } from "../environment/environment.ts";
import { ConnectionError, ProtocolError } from "../errors.ts";
import {
  FRAME_BYTES_MAX,
  PARTIAL_FRAME_MS_MAX,
  READ_BUFFER_BYTES_MAX,
  READ_BUFFER_BYTES_MIN,
} from "../limits.ts";

const LENGTH_BYTES = 2;
/** Ticks that a frame may take, one of them not whole. */
const PARTIAL_TICKS = 5;

export interface FrameReaderOptions {
  /** What was read already. */
  readonly received?: Uint8Array | undefined;
  /** A frame that was begun must end within this time. @default PARTIAL_FRAME_MS_MAX */
  readonly partialMsMax?: number | undefined;
}

export class FrameReader {
  readonly #pipe: BytePipe;
  readonly #clock: Clock;
  readonly #partialMsMax: number;
  #buffer: Uint8Array;
  #start = 0;
  #end = 0;
  /** Ticks that the frame which is not complete yet has taken. */
  #ticks = 0;
  #timer: Timer | undefined;
  #isReading = false;
  #late = false;

  constructor(
    pipe: BytePipe,
    clock: Clock,
    { received, partialMsMax = PARTIAL_FRAME_MS_MAX }: FrameReaderOptions = {},
  ) {
    this.#pipe = pipe;
    this.#clock = clock;
    this.#partialMsMax = partialMsMax;
    const length = received?.length ?? 0;
    this.#buffer = new Uint8Array(Math.max(READ_BUFFER_BYTES_MIN, length));
    if (received !== undefined) this.#buffer.set(received);
    this.#end = length;
  }

  /** The next frame that is here already; a view that is valid until the next call of `read`. */
  take(): Uint8Array | undefined {
    const here = this.#end - this.#start;
    if (here < LENGTH_BYTES) return undefined;
    const length = (this.#buffer[this.#start] as number) << 8 |
      (this.#buffer[this.#start + 1] as number);
    if (length === 0) throw new ProtocolError("Frame of length 0");
    if (here < LENGTH_BYTES + length) return undefined;
    const at = this.#start + LENGTH_BYTES;
    this.#start = at + length;
    this.#ticks = 0;
    return this.#buffer.subarray(at, at + length);
  }

  /** Reads until a frame is complete. Throws ConnectionError at the end of the pipe. */
  async read(): Promise<Uint8Array> {
    // Time between reads is ours, not the peer's.
    this.#ticks = 0;
    for (;;) {
      this.#makeRoom();
      if (this.#end > this.#start) this.#watch();
      this.#isReading = true;
      const got = await this.#readMore();
      this.#isReading = false;
      if (got === null) {
        const cut = this.#end > this.#start ? " in the middle of a frame" : "";
        throw new ConnectionError("reset", `Connection ended without a goodbye${cut}`);
      }
      this.#end += got;
      const frame = this.take();
      if (frame !== undefined) return frame;
    }
  }

  /** Whether these bytes lie in the buffer, and so are overwritten by a later read. */
  lends(bytes: Uint8Array): boolean {
    return bytes.buffer === this.#buffer.buffer;
  }

  dispose(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  async #readMore(): Promise<number | null> {
    let broken: unknown;
    let got: number | null = null;
    try {
      got = await this.#pipe.read(this.#buffer.subarray(this.#end));
    } catch (error) {
      broken = error;
    }
    if (this.#late) {
      throw new ProtocolError(`Frame was not finished within ${this.#partialMsMax} ms`);
    }
    if (broken !== undefined) throw broken;
    return got;
  }

  /** Moves what is left to the front and fits the buffer to the traffic. */
  #makeRoom(): void {
    const here = this.#end - this.#start;
    const full = this.#end === this.#buffer.length;
    const size = this.#buffer.length;
    let wanted = size;
    if (full && size < READ_BUFFER_BYTES_MAX) wanted = Math.min(size * 4, READ_BUFFER_BYTES_MAX);
    else if (here === 0 && this.#end < size / 16 && size > READ_BUFFER_BYTES_MIN) {
      wanted = Math.max(READ_BUFFER_BYTES_MIN, size >>> 2);
    }
    if (here > 0 && wanted < LENGTH_BYTES + FRAME_BYTES_MAX) {
      const first = this.#buffer[this.#start] as number;
      const second = here > 1 ? this.#buffer[this.#start + 1] as number : 0xff;
      wanted = Math.max(wanted, LENGTH_BYTES + (first << 8 | second));
    }
    if (wanted !== size) {
      const buffer = new Uint8Array(wanted);
      buffer.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = buffer;
    } else if (this.#start > 0 && here > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
    }
    this.#start = 0;
    this.#end = here;
  }

  #watch(): void {
    this.#timer ??= this.#clock.after(this.#partialMsMax / (PARTIAL_TICKS - 1), this.#tick);
  }

  /** One timer at most, which looks again instead of being made anew for every frame. */
  readonly #tick = (): void => {
    this.#timer = undefined;
    if (!this.#isReading || this.#end === this.#start) return;
    if (++this.#ticks === PARTIAL_TICKS) {
      this.#late = true;
      this.#pipe.close();
    } else this.#watch();
  };
}
