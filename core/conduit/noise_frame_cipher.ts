/**
 * Encrypts the frames of one conduit. The key is changed every REKEY_FRAMES frames in step at both
 * ends, and whenever the sender says so in-band (by time).
 */

import type { FrameCipher } from "./framed.ts";
import { REKEY_FRAMES, TAG_BYTES } from "../limits.ts";
import type { CipherState } from "../crypto/cipher_state.ts";
import type { Session } from "../crypto/noise.ts";

const NO_AD = new Uint8Array(0);

export class NoiseFrameCipher implements FrameCipher {
  readonly overhead = TAG_BYTES;
  /** Names the session: equal at both ends, and nowhere else. */
  readonly handshakeHash: Uint8Array;
  readonly #send: CipherState;
  readonly #receive: CipherState;

  constructor(session: Session) {
    this.#send = session.send;
    this.#receive = session.receive;
    this.handshakeHash = session.handshakeHash;
  }

  seal(plain: Uint8Array, out: Uint8Array): number {
    if (this.#send.nonce % REKEY_FRAMES === 0 && this.#send.nonce > 0) this.#send.rekey();
    return this.#send.seal(NO_AD, plain, out);
  }

  open(sealed: Uint8Array, out: Uint8Array): number {
    if (this.#receive.nonce % REKEY_FRAMES === 0 && this.#receive.nonce > 0) this.#receive.rekey();
    return this.#receive.open(NO_AD, sealed, out);
  }

  rekeySend(): void {
    this.#send.rekey();
  }

  rekeyReceive(): void {
    this.#receive.rekey();
  }

  dispose(): void {
    this.#send[Symbol.dispose]();
    this.#receive[Symbol.dispose]();
  }
}
