/**
 * When a routed conduit tells the other end what has arrived: at once when something is missing or
 * enough has come, a moment later else, and never more than one report at a time in the hands of the
 * carrier. A report that is lost does no harm; the next one says more.
 */

import { type Clock, type EndToEndCipher, PRIORITY, type Timer } from "../../../core/mod.ts";
import type { Carrier } from "../../shared/carrier.ts";
import type { Arrival, Inbound } from "./inbound.ts";
import { REKEY_MS, REPORT_BYTES, REPORT_MS, REPORT_PACKETS, WINDOW_BYTES_MAX } from "./limits.ts";
import { encodeReport } from "./report.ts";

/** Room that is worth a report of its own. */
const ROOM_BYTES = WINDOW_BYTES_MAX / 4;

export class Reporter {
  readonly #way: Pick<Carrier, "send">;
  readonly #cipher: EndToEndCipher;
  readonly #clock: Clock;
  readonly #inbound: Inbound;
  #packets = 0;
  #bytes = 0;
  /** Room as told last. */
  #toldRoom = WINDOW_BYTES_MAX;
  #timer: Timer | undefined;
  #sending = false;
  #again = false;
  #asks = false;
  #keyedAt: number;
  #disposed = false;
  #onLast: (() => void) | undefined;

  constructor(
    options: {
      readonly way: Pick<Carrier, "send">;
      readonly cipher: EndToEndCipher;
      readonly clock: Clock;
      readonly inbound: Inbound;
    },
  ) {
    this.#way = options.way;
    this.#cipher = options.cipher;
    this.#clock = options.clock;
    this.#inbound = options.inbound;
    this.#keyedAt = options.clock.monotonic();
  }

  /** A packet of so many bytes has come. */
  arrived(arrival: Exclude<Arrival, "none">, bytes: number): void {
    this.#packets++;
    this.#bytes += bytes;
    const enough = this.#packets >= REPORT_PACKETS || this.#bytes >= REPORT_BYTES;
    if (arrival === "early" || (arrival === "next" && enough) || this.#inbound.ended) this.send();
    else this.#timer ??= this.#clock.after(REPORT_MS, this.#onTime);
  }

  /** Somebody has read: tells the other end when that makes a difference to it. */
  roomMayHaveGrown(): void {
    if (this.#inbound.room - this.#toldRoom >= ROOM_BYTES) this.send();
  }

  /** Reports now; `asks` wants a report in return. */
  send(options: { readonly asks?: boolean } = {}): void {
    if (this.#disposed) return;
    if (options.asks) this.#asks = true;
    if (this.#sending) {
      this.#again = true;
      return;
    }
    this.#again = false;
    this.#sending = true;
    const sent = () => {
      this.#sending = false;
      if (this.#again) this.send();
      else this.#onLast?.();
    };
    // It is rejected only when the carrier is closed, and that ends everything.
    this.#way.send(this.#seal(), PRIORITY.normal).then(sent, sent);
  }

  /** Resolves when a report of all that has arrived is in the hands of the carrier. */
  sendLast(): Promise<void> {
    return new Promise((resolve) => {
      this.#onLast = resolve;
      this.send();
    });
  }

  dispose(): void {
    this.#disposed = true;
    this.#timer?.cancel();
  }

  readonly #onTime = (): void => {
    this.#timer = undefined;
    if (this.#packets > 0) this.send();
  };

  #seal(): Uint8Array {
    const now = this.#clock.monotonic();
    if (now - this.#keyedAt >= REKEY_MS) {
      this.#keyedAt = now;
      this.#cipher.rekeyReports();
    }
    const { next, room } = this.#inbound;
    this.#toldRoom = room;
    this.#packets = this.#bytes = 0;
    const asks = this.#asks;
    this.#asks = false;
    return this.#cipher.sealReport(
      encodeReport({ asks, next, room, ranges: this.#inbound.ranges() }),
    );
  }
}
