/**
 * The handshake state machine of the Noise Protocol Framework (revision 34) for one suite,
 * 25519_ChaChaPoly_SHA256, with patterns as data. No input or output: messages are bytes that the
 * caller moves, the ephemeral secret comes in, nothing waits.
 *
 * minime speaks XXpsk0 only; the machine knows every token, so that the published vectors of all
 * other patterns test it too. A handshake that failed once stays failed.
 */

import { AuthenticationError, MinimeError } from "../errors.ts";
import { FRAME_BYTES_MAX, TAG_BYTES } from "../limits.ts";
import { concatBytes } from "../wire/bytes.ts";
import { CipherState } from "./cipher_state.ts";
import { type Aead, KEY_BYTES, type Primitives } from "./primitives.ts";
import { SymmetricState } from "./symmetric_state.ts";

/** Noise specification, section 7: what a message carries or mixes in, in this order. */
export type HandshakeToken = "e" | "s" | "ee" | "es" | "se" | "ss" | "psk";

export interface HandshakePattern {
  /** As in the protocol's name, for example "XXpsk0". */
  readonly name: string;
  /** Whose static key the other side knows beforehand. @default nobody's */
  readonly known?: readonly HandshakeRole[];
  /** The initiator's first, then alternating. */
  readonly messages: readonly (readonly HandshakeToken[])[];
}

export type HandshakeRole = "initiator" | "responder";

/** Mutual authentication by static keys that travel encrypted, behind a shared secret. */
export const XX_PSK0: HandshakePattern = {
  name: "XXpsk0",
  messages: [["psk", "e"], ["e", "ee", "s", "es"], ["s", "se"]],
};

export interface DhKeyPair {
  readonly secret: Uint8Array;
  readonly publicKey: Uint8Array;
}

export interface HandshakeOptions {
  readonly pattern: HandshakePattern;
  readonly role: HandshakeRole;
  /** Every byte that was said in clear before; both ends must agree on it. */
  readonly prologue: Uint8Array;
  /** 32 random bytes, used for this handshake only. No curve operation before they are needed. */
  readonly ephemeral: Uint8Array;
  readonly static?: DhKeyPair;
  /** The other side's public key where the pattern says that it is known. */
  readonly remoteStatic?: Uint8Array;
  /** 32 bytes for each psk token, in order. */
  readonly psks?: readonly Uint8Array[];
}

/** What a finished handshake leaves behind. */
export interface Session {
  readonly send: CipherState;
  readonly receive: CipherState;
  /** Unique for this session; both ends have the same (channel binding, 32 bytes). */
  readonly handshakeHash: Uint8Array<ArrayBuffer>;
  /** The proven static key of the other side, where the pattern has one. */
  readonly remoteStatic: Uint8Array<ArrayBuffer> | undefined;
}

/** The same with the keys as they are; whoever has them wipes them. */
export interface SessionKeys extends Omit<Session, "send" | "receive"> {
  readonly send: Uint8Array<ArrayBuffer>;
  readonly receive: Uint8Array<ArrayBuffer>;
}

export class HandshakeState implements Disposable {
  readonly #primitives: Primitives;
  readonly #options: HandshakeOptions;
  readonly #symmetric: SymmetricState;
  readonly #initiator: boolean;
  readonly #withPsk: boolean;
  #remoteStatic: Uint8Array<ArrayBuffer> | undefined;
  #remoteEphemeral: Uint8Array<ArrayBuffer> | undefined;
  #turn = 0;
  #psksUsed = 0;
  #state: "open" | "split" | "failed" = "open";

  /** From the beginning, or where another handshake is. */
  constructor(
    primitives: Primitives,
    { from, ...options }: HandshakeOptions & { readonly from?: HandshakeState },
  ) {
    requireKeys(options);
    const { pattern } = options;
    this.#primitives = primitives;
    this.#options = options;
    this.#initiator = options.role === "initiator";
    this.#withPsk = pattern.messages.some((tokens) => tokens.includes("psk"));
    if (from !== undefined) {
      this.#symmetric = new SymmetricState(primitives, from.#symmetric);
      this.#remoteStatic = from.#remoteStatic;
      this.#remoteEphemeral = from.#remoteEphemeral;
      this.#turn = from.#turn;
      this.#psksUsed = from.#psksUsed;
      this.#state = from.#state;
      return;
    }
    this.#symmetric = new SymmetricState(
      primitives,
      `Noise_${pattern.name}_25519_ChaChaPoly_SHA256`,
    );
    this.#symmetric.mixHash(options.prologue);
    if (options.remoteStatic) this.#remoteStatic = new Uint8Array(options.remoteStatic);
    for (const side of ["initiator", "responder"] as const) {
      if (!pattern.known?.includes(side)) continue;
      const key = side === options.role ? options.static?.publicKey : this.#remoteStatic;
      this.#symmetric.mixHash(present(key, "static"));
    }
  }

  /**
   * The same handshake at the same place: a transport on which anybody can put a message tries it on
   * a copy, so that a wrong one spoils nothing. Both must be disposed.
   */
  copy(): HandshakeState {
    if (this.#state !== "open") {
      throw new MinimeError(`Handshake cannot be copied: ${this.#describe()}`);
    }
    return new HandshakeState(this.#primitives, { ...this.#options, from: this });
  }

  /** True when no message is left and {@link HandshakeState.split} may be called. */
  get finished(): boolean {
    return this.#state === "open" && this.#turn === this.#options.pattern.messages.length;
  }

  /** The other side's static key as soon as it was received; not proven before the end. */
  get remoteStatic(): Uint8Array<ArrayBuffer> | undefined {
    return this.#remoteStatic;
  }

  /** The next message, when it is our turn. */
  writeMessage(payload: Uint8Array): Uint8Array<ArrayBuffer> {
    return this.#step("write", (tokens) => {
      const parts: Uint8Array[] = [];
      for (const token of tokens) {
        if (token === "e") parts.push(this.#writeEphemeral());
        else if (token === "s") {
          parts.push(
            this.#symmetric.sealAndHash(present(this.#options.static, "static").publicKey),
          );
        } else this.#mix(token);
      }
      parts.push(this.#symmetric.sealAndHash(payload));
      const message = concatBytes(...parts);
      if (message.length > FRAME_BYTES_MAX) {
        throw new RangeError(`Handshake message has ${message.length} bytes, over the limit`);
      }
      return message;
    });
  }

  /** Takes the other side's next message; returns its payload. Throws and stays failed if it is not theirs. */
  readMessage(message: Uint8Array): Uint8Array<ArrayBuffer> {
    return this.#step("read", (tokens) => {
      if (message.length > FRAME_BYTES_MAX) throw tooShortOrLong(message.length);
      let at = 0;
      const take = (bytes: number): Uint8Array => {
        if (message.length - at < bytes) throw tooShortOrLong(message.length);
        return message.subarray(at, at += bytes);
      };
      for (const token of tokens) {
        if (token === "e") this.#readEphemeral(take(KEY_BYTES));
        else if (token === "s") {
          const bytes = KEY_BYTES + (this.#symmetric.hasKey ? TAG_BYTES : 0);
          this.#remoteStatic = this.#symmetric.openAndHash(take(bytes));
        } else this.#mix(token);
      }
      return this.#symmetric.openAndHash(message.subarray(at));
    });
  }

  /** Once, when finished. The caller owns both cipher states. */
  split(): Session {
    const { send, receive, ...rest } = this.splitKeys();
    const aeads = [send, receive].map((key) => this.#primitives.createAead(key)) as [Aead, Aead];
    send.fill(0);
    receive.fill(0);
    return { send: new CipherState(aeads[0]), receive: new CipherState(aeads[1]), ...rest };
  }

  /** Instead of {@link HandshakeState.split}, for a transport that keeps several keys at once. */
  splitKeys(): SessionKeys {
    if (!this.finished) throw new MinimeError(`Handshake cannot be split: ${this.#describe()}`);
    this.#state = "split";
    const handshakeHash = this.#symmetric.hash;
    const [first, second] = this.#symmetric.split();
    const [send, receive] = this.#initiator ? [first, second] : [second, first];
    return { send, receive, handshakeHash, remoteStatic: this.#remoteStatic };
  }

  /** A handshake that is given up must not leave its keys behind. Idempotent. */
  [Symbol.dispose](): void {
    if (this.#state !== "open") return;
    this.#state = "failed";
    this.#symmetric.wipe();
  }

  #step<T>(verb: "read" | "write", run: (tokens: readonly HandshakeToken[]) => T): T {
    const tokens = this.#options.pattern.messages[this.#turn];
    const ours = (this.#turn % 2 === 0) === this.#initiator;
    if (this.#state !== "open" || !tokens || ours !== (verb === "write")) {
      throw new MinimeError(`Handshake cannot ${verb} a message: ${this.#describe()}`);
    }
    try {
      const result = run(tokens);
      this.#turn++;
      return result;
    } catch (error) {
      this.#state = "failed";
      this.#symmetric.wipe();
      throw error;
    }
  }

  #describe(): string {
    if (this.#state === "failed") return "it failed before";
    if (this.#state === "split") return "it is over";
    const { length } = this.#options.pattern.messages;
    return `it is at message ${this.#turn} of ${length} as ${this.#options.role}`;
  }

  #writeEphemeral(): Uint8Array {
    const publicKey = this.#primitives.dhPublicKey(this.#options.ephemeral);
    this.#symmetric.mixHash(publicKey);
    if (this.#withPsk) this.#symmetric.mixKey(publicKey);
    return publicKey;
  }

  #readEphemeral(publicKey: Uint8Array): void {
    this.#remoteEphemeral = new Uint8Array(publicKey);
    this.#symmetric.mixHash(publicKey);
    if (this.#withPsk) this.#symmetric.mixKey(publicKey);
  }

  #mix(token: "ee" | "es" | "se" | "ss" | "psk"): void {
    if (token === "psk") {
      this.#symmetric.mixKeyAndHash(present(this.#options.psks?.[this.#psksUsed++], "psk"));
      return;
    }
    // The first letter is the initiator's key, the second the responder's.
    const [ours, theirs] = this.#initiator ? [token[0], token[1]] : [token[1], token[0]];
    const secret = ours === "e"
      ? this.#options.ephemeral
      : present(this.#options.static, "static").secret;
    const publicKey = theirs === "e" ? this.#remoteEphemeral : this.#remoteStatic;
    const shared = this.#primitives.dh(secret, present(publicKey, "remote"));
    this.#symmetric.mixKey(shared);
    shared.fill(0);
  }
}

/** A missing key is a mistake of the caller, so it is said at the door and not in the middle. */
function requireKeys(options: HandshakeOptions): void {
  const { pattern, role } = options;
  const tokens = pattern.messages.flat();
  const wanted = tokens.filter((token) => token === "psk").length;
  const psks = options.psks ?? [];
  if (psks.length !== wanted) {
    throw new RangeError(`psks must hold ${wanted} keys for ${pattern.name}, not ${psks.length}`);
  }
  const other = role === "initiator" ? "responder" : "initiator";
  const known = pattern.known?.includes(other) ?? false;
  if (known !== (options.remoteStatic !== undefined)) {
    const must = known ? "must" : "must not";
    throw new RangeError(`remoteStatic ${must} be given for ${pattern.name} as ${role}`);
  }
  const letter = role === "initiator" ? 0 : 1;
  const sends = pattern.messages.some((message, index) =>
    index % 2 === letter && message.includes("s")
  );
  if (!options.static && (sends || pattern.known?.includes(role))) {
    throw new RangeError(`static must be given for ${pattern.name} as ${role}`);
  }
  const { secret, publicKey } = options.static ?? {};
  const keys = [options.ephemeral, secret, publicKey, options.remoteStatic, ...psks];
  if (keys.some((key) => key !== undefined && key.length !== KEY_BYTES)) {
    throw new RangeError(`Keys of a handshake have ${KEY_BYTES} bytes`);
  }
}

function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new RangeError(`Handshake has no ${what} key where it needs one`);
  return value;
}

function tooShortOrLong(bytes: number): AuthenticationError {
  return new AuthenticationError(
    "malformed",
    `Handshake message of ${bytes} bytes cannot be right`,
  );
}
