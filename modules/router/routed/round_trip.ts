/**
 * How long an acknowledgement takes, and so when a packet that has none is sent again (RFC 6298,
 * section 2 and 5): smoothed time plus four times its variation, doubled with each expiry.
 */

import { RESEND_MS_MAX, RESEND_MS_MIN, RESEND_MS_START } from "./limits.ts";

const ALPHA = 1 / 8;
const BETA = 1 / 4;
const DEVIATIONS = 4;

export class RoundTrip {
  #smoothed: number | undefined;
  #variation = 0;
  #expiries = 0;

  /** A packet that was sent once was acknowledged after so many milliseconds. */
  measured(ms: number): void {
    if (this.#smoothed === undefined) {
      this.#smoothed = ms;
      this.#variation = ms / 2;
      return;
    }
    this.#variation += BETA * (Math.abs(this.#smoothed - ms) - this.#variation);
    this.#smoothed += ALPHA * (ms - this.#smoothed);
  }

  /** Something was acknowledged. */
  heard(): void {
    this.#expiries = 0;
  }

  /** Nothing was acknowledged in time. */
  expired(): void {
    this.#expiries++;
  }

  /** Expiries in a row. */
  get expiries(): number {
    return this.#expiries;
  }

  /** Milliseconds; undefined until one was measured. */
  get smoothedMs(): number | undefined {
    return this.#smoothed;
  }

  /** Milliseconds to wait for an acknowledgement from now on. */
  get resendMs(): number {
    const guess = this.#smoothed === undefined
      ? RESEND_MS_START
      : this.#smoothed + DEVIATIONS * this.#variation;
    const base = Math.min(RESEND_MS_MAX, Math.max(RESEND_MS_MIN, guess));
    return Math.min(RESEND_MS_MAX, base * 2 ** Math.min(this.#expiries, 10));
  }
}
