/**
 * The far end of a handshake, step by step and by hand, so that each step can go wrong: any
 * preamble, any pre-shared key, any hello, any verdict.
 */

import type { BytePipe } from "../../core/environment/environment.ts";
import type { Self } from "../../core/mod.ts";
import type { CipherState } from "../../core/crypto/cipher_state.ts";
import {
  CONDUIT_KIND,
  encodeHello,
  encodePreamble,
  type Hello,
  PREAMBLE_BYTES,
  prologueOf,
} from "../../core/security/hello.ts";
import { HandshakeState, type Session, XX_PSK0 } from "../../core/crypto/noise.ts";
import type { MeshKeys } from "./mesh_keys.ts";

const NOTHING = new Uint8Array(0);

export interface RawPeerOptions {
  readonly keys: MeshKeys;
  readonly self: Self;
  readonly pipe: BytePipe;
  /** @default a link's, with the mesh's PSK id */
  readonly preamble?: Uint8Array;
  /** @default the mesh's */
  readonly psk?: Uint8Array;
  readonly meshId?: Uint8Array;
  /** What the hello says other than the truth. */
  readonly hello?: Partial<Hello>;
  /** Instead of a hello. */
  readonly helloBytes?: Uint8Array;
}

export class RawPeer {
  readonly #options: RawPeerOptions;
  readonly #pipe: BytePipe;
  readonly #preamble: Uint8Array;
  #noise: HandshakeState;
  #session: Session | undefined;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor(role: "initiator" | "responder", options: RawPeerOptions) {
    this.#options = options;
    this.#pipe = options.pipe;
    this.#preamble = options.preamble ?? preambleOf(options.keys);
    this.#noise = this.#start(role, this.#preamble);
  }

  /** All 66 bytes of the first message. */
  firstMessage(): Uint8Array {
    return concat(this.#preamble, framed(this.#noise.writeMessage(NOTHING)));
  }

  /** I -> R, then R -> I. Throws when the responder closes. */
  async begin(): Promise<void> {
    await this.#pipe.write(this.firstMessage());
    this.#noise.readMessage(await this.#readFrame());
  }

  /** I -> R: who we say we are. */
  async present(): Promise<void> {
    await this.#pipe.write(framed(this.#noise.writeMessage(this.#hello())));
    this.#session = this.#noise.split();
  }

  /** The responder's last word: "ready", or the reason and text of a reject. */
  async verdict(): Promise<{ readonly ready: boolean; readonly reason: string; text: string }> {
    const sealed = await this.#readFrame();
    const plain = new Uint8Array(sealed.length);
    const length = this.receive.open(NOTHING, sealed, plain);
    const [reason = "", text = ""] = new TextDecoder().decode(plain.subarray(1, length)).split(
      "\n",
    );
    return { ready: plain[0] === 0, reason, text };
  }

  /** As responder: R -> I, after the initiator's first message. */
  async answer(): Promise<void> {
    const preamble = await this.#read(PREAMBLE_BYTES);
    this.#noise[Symbol.dispose]();
    this.#noise = this.#start("responder", preamble);
    this.#noise.readMessage(await this.#readFrame());
    await this.#pipe.write(framed(this.#noise.writeMessage(this.#hello())));
  }

  /** As responder: takes the initiator's hello. */
  async hear(): Promise<Uint8Array> {
    const hello = this.#noise.readMessage(await this.#readFrame());
    this.#session = this.#noise.split();
    return hello;
  }

  /** As responder: any plain bytes, sealed. */
  async judge(plain: Uint8Array): Promise<void> {
    const sealed = new Uint8Array(plain.length + 16);
    this.send.seal(NOTHING, plain, sealed);
    await this.#pipe.write(framed(sealed));
  }

  get send(): CipherState {
    return (this.#session as Session).send;
  }

  get receive(): CipherState {
    return (this.#session as Session).receive;
  }

  [Symbol.dispose](): void {
    this.#pipe.close();
    this.#noise[Symbol.dispose]();
    this.#session?.send[Symbol.dispose]();
    this.#session?.receive[Symbol.dispose]();
  }

  #start(role: "initiator" | "responder", preamble: Uint8Array): HandshakeState {
    const { keys, meshId = keys.meshId, psk = keys.psk, self } = this.#options;
    return new HandshakeState(keys.primitives, {
      pattern: XX_PSK0,
      role,
      prologue: prologueOf(meshId, preamble),
      psks: [psk],
      static: self.dh,
      ephemeral: crypto.getRandomValues(new Uint8Array(32)),
    });
  }

  #hello(): Uint8Array {
    const { helloBytes, hello, self } = this.#options;
    return helloBytes ?? encodeHello({
      chain: self.identity.chain,
      instance: self.instance,
      unixMs: 1_900_000_000_000,
      revocationVersion: 0,
      policyVersion: 1,
      oldest: 1,
      newest: 1,
      bulk: false,
      onDemand: false,
      secretsVersion: 0,
      revision: 0,
      ...hello,
    });
  }

  async #readFrame(): Promise<Uint8Array> {
    const head = await this.#read(2);
    return await this.#read((head[0] as number) * 256 + (head[1] as number));
  }

  async #read(length: number): Promise<Uint8Array> {
    const chunk = new Uint8Array(8_192);
    while (this.#buffer.length < length) {
      const got = await this.#pipe.read(chunk);
      if (got === null) throw new Error("Closed without a word");
      this.#buffer = concat(this.#buffer, chunk.subarray(0, got));
    }
    const bytes = this.#buffer.slice(0, length);
    this.#buffer = this.#buffer.slice(length);
    return bytes;
  }
}

/** Of a link, and with the mesh's secret, unless told otherwise. */
export function preambleOf(
  keys: MeshKeys,
  change: { readonly kind?: number; readonly pskId?: Uint8Array } = {},
): Uint8Array<ArrayBuffer> {
  const pskId = change.pskId ?? keys.trust().secrets[0]?.id as Uint8Array;
  const bytes = encodePreamble({ kind: CONDUIT_KIND.link, pskId });
  if (change.kind !== undefined) bytes[4] = change.kind;
  return bytes;
}

/** Behind its u16 length. */
export function framed(message: Uint8Array): Uint8Array<ArrayBuffer> {
  return concat(Uint8Array.of(message.length >>> 8, message.length), message);
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
