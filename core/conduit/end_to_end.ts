/**
 * The handshake of a conduit that runs end to end through relays: the same Noise, certificates and
 * checks as over tcp (handshake.ts), but over packets that anybody on the way can lose, double,
 * alter, delay or invent. No input or output: packets in, packets out.
 *
 *     initiator                                    responder
 *   asking --first-------------------------------> (made by it)
 *          <------------------------------answer-- waiting
 *   proving --proof------------------------------>
 *          <-----------------------------verdict-- done
 *   done
 *
 * The initiator sends its packet again until it is answered; the responder answers the same packet
 * with the same bytes. What cannot be the other end's is tried on a copy and forgotten, so whoever
 * puts packets on the way can delay a handshake and cannot make it fail. It fails for good only by
 * what the other end has proven to be its own: an expired certificate, a REJECT.
 */

import type { Expectation, HandshakeContext } from "./handshake.ts";
import {
  checkPeer,
  checkVersions,
  decodeVerdict,
  encodeVerdict,
  ownHello,
  peerOf,
} from "./handshake.ts";
import type { Peer } from "./conduit.ts";
import { AuthenticationError, type AuthenticationReason, MinimeError } from "../errors.ts";
import { HandshakeState, XX_PSK0 } from "../crypto/noise.ts";
import { KEY_BYTES } from "../crypto/primitives.ts";
import { parseCertificate } from "../security/certificate.ts";
import { decodeHello, encodeHello, type Hello, prologueOf } from "../security/hello.ts";
import { concatBytes, equalBytes, fromHex, toHex } from "../wire/bytes.ts";
import { EndToEndCipher } from "./end_to_end_cipher.ts";
import {
  CLEAR_END,
  idOfHash,
  isFirstPacket,
  PACKET,
  PACKET_HEAD_BYTES,
  packetId,
  packetType,
  prologueBytes,
  sourceOf,
  writeClear,
  writeHead,
} from "./end_to_end_packet.ts";

const NO_BYTES = new Uint8Array(0);
const NO_PSK = new Uint8Array(KEY_BYTES);
const STREAM_ID_BYTES = 8;
/** What is wrong with a certificate whose signature and key are right. */
const PROVEN_REASONS: readonly AuthenticationReason[] = [
  "expired",
  "not-yet-valid",
  "revoked",
  "wrong-kind",
  "wrong-name",
];

/** Who is there, and how to talk. Whoever takes it disposes the cipher. */
export interface EndToEndEstablished {
  readonly peer: Extract<Peer, { kind: "node" | "user" }>;
  readonly cipher: EndToEndCipher;
}

export interface EndToEndOptions {
  /** As of now: trust may be replaced while the daemon lives. */
  readonly context: () => HandshakeContext;
  /** Refuses an authenticated peer by throwing AuthenticationError, whose text the peer gets. */
  readonly admit?: (peer: EndToEndEstablished["peer"]) => void;
}

export interface InitiateOptions {
  /** Key id of the node that must answer, 64 hex digits. */
  readonly target: string;
  readonly name?: string;
  /** @default false */
  readonly bulk?: boolean;
}

/** Handshakes with our own keys, for whoever moves the packets and must not see the keys. */
export class EndToEnd {
  readonly #options: EndToEndOptions;

  constructor(options: EndToEndOptions) {
    this.#options = options;
  }

  /** Whether a packet asks us for a handshake. Costs next to nothing, and proves nothing. */
  isForUs(packet: Uint8Array): boolean {
    return isFirstPacket(packet, fromHex(this.#options.context().self.identity.keyId));
  }

  /** Throws AuthenticationError when the target is ourselves. */
  initiate(options: InitiateOptions): EndToEndInitiator {
    return new EndToEndInitiator(this.#options.context(), options);
  }

  /**
   * Answers a packet that is for us: three curve operations, so its maker bounds how many there are.
   * Throws AuthenticationError when it is of another mesh, altered or invented. `admit` is asked
   * besides our own.
   */
  respond(first: Uint8Array, options: Pick<EndToEndOptions, "admit"> = {}): EndToEndResponder {
    const { context, admit } = this.#options;
    return new EndToEndResponder(first, {
      context,
      admit: (peer) => {
        admit?.(peer);
        options.admit?.(peer);
      },
    });
  }
}

/** The end that asks: one attempt, with keys of its own. */
export class EndToEndInitiator implements Disposable {
  /** Name of this attempt, in all packets that are for it. */
  readonly id: number;
  readonly #context: HandshakeContext;
  readonly #expect: Expectation & { readonly keyId: string };
  readonly #bulk: boolean;
  readonly #noise: HandshakeState;
  #outgoing: Uint8Array;
  #refusal: AuthenticationError | undefined;
  #proving: (EndToEndEstablished & { readonly hello: Hello }) | undefined;
  #done = false;

  constructor(context: HandshakeContext, { target, name, bulk = false }: InitiateOptions) {
    const { self, primitives, random } = context;
    if (target === self.identity.keyId) {
      throw new AuthenticationError("own-key", "Dialled our own key: we are that node");
    }
    this.#context = context;
    this.#expect = { keyId: target, ...(name === undefined ? {} : { name }) };
    this.#bulk = bulk;
    const clear = writeClear({
      source: fromHex(self.identity.keyId),
      target: fromHex(target),
      stream: random.bytes(STREAM_ID_BYTES),
    });
    this.#noise = createNoise(context, "initiator", clear);
    this.#outgoing = concatBytes(clear, this.#noise.writeMessage(NO_BYTES));
    this.id = idOfHash(primitives.sha256(this.#outgoing));
  }

  /** What to send now, and again until something changes. */
  get outgoing(): Uint8Array {
    return this.#outgoing;
  }

  /** Why an answer was not taken that the target has not proven to be its own. */
  get refusal(): AuthenticationError | undefined {
    return this.#refusal;
  }

  /**
   * Takes any packet; what is not for this handshake or not the target's changes nothing. Throws
   * AuthenticationError when the target refuses us, or is not who may answer.
   */
  receive(packet: Uint8Array): EndToEndEstablished | undefined {
    const type = packetType(packet);
    if (this.#done || type === undefined || type === PACKET.first) return undefined;
    if (packetId(packet) !== this.id) return undefined;
    if (type === PACKET.answer) this.#takeAnswer(packet.subarray(PACKET_HEAD_BYTES));
    return type === PACKET.verdict ? this.#takeVerdict(packet) : undefined;
  }

  [Symbol.dispose](): void {
    this.#noise[Symbol.dispose]();
    if (!this.#done) this.#proving?.cipher[Symbol.dispose]();
  }

  #takeAnswer(message: Uint8Array): void {
    if (this.#proving !== undefined) return;
    using noise = this.#noise.copy();
    let hello: Hello;
    try {
      hello = decodeHello(noise.readMessage(message));
    } catch (error) {
      if (error instanceof MinimeError) return;
      throw error;
    }
    const identity = this.#checkAnswer(hello, noise);
    if (identity === undefined) return;
    const own = encodeHello(ownHello(this.#context, { bulk: this.#bulk, onDemand: false }));
    const proof = noise.writeMessage(own);
    const { primitives } = this.#context;
    const cipher = new EndToEndCipher(primitives, { ...noise.splitKeys(), id: this.id });
    const peer = peerOf(this.#context, identity, { ...hello, bulk: this.#bulk }, cipher);
    this.#proving = { peer, cipher, hello };
    this.#outgoing = handshakePacket(PACKET.proof, this.id, proof);
  }

  /** Undefined for the answer of somebody else, who can be anybody on the way. */
  #checkAnswer(hello: Hello, noise: HandshakeState): ReturnType<typeof checkPeer> | undefined {
    try {
      return checkPeer(this.#context, hello, noise, { kinds: ["node"], expect: this.#expect });
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      if (PROVEN_REASONS.includes(error.reason) && this.#isTargets(hello, noise)) throw error;
      this.#refusal = error;
      return undefined;
    }
  }

  /** Whether the certificate names the target's key and the key that the handshake has proven. */
  #isTargets(hello: Hello, { remoteStatic }: HandshakeState): boolean {
    const leaf = parseCertificate(this.#context.primitives, hello.chain[0] as Uint8Array);
    return leaf.keyId === this.#expect.keyId &&
      equalBytes(leaf.dhPublicKey, remoteStatic as Uint8Array);
  }

  #takeVerdict(packet: Uint8Array): EndToEndEstablished | undefined {
    const proving = this.#proving;
    const plain = proving?.cipher.openVerdict(packet);
    if (proving === undefined || plain === undefined) return undefined;
    const remote = `mesh:${proving.peer.identity.name}`;
    // Only now, so that the other end knows our versions too and both can name them.
    checkVersions(proving.hello, remote);
    decodeVerdict(plain, remote);
    this.#done = true;
    return { peer: proving.peer, cipher: proving.cipher };
  }
}

/** What came of one packet at the responder. */
export interface ResponderStep {
  /** To send back, whoever sent it. */
  readonly reply: Uint8Array;
  readonly established?: EndToEndEstablished;
  /** Why the peer, who has proven to be the one that asked, was refused. */
  readonly refused?: AuthenticationError;
}

/** The end that was asked: one first packet, and what came of it. */
export class EndToEndResponder implements Disposable {
  /** Names the handshake in its packets. */
  readonly id: number;
  readonly #context: HandshakeContext;
  readonly #admit: EndToEndOptions["admit"];
  readonly #source: string;
  readonly #noise: HandshakeState;
  readonly #answer: Uint8Array;
  #proof: Uint8Array | undefined;
  #verdict: Uint8Array = NO_BYTES;

  constructor(first: Uint8Array, { context, admit }: EndToEndOptions) {
    this.#context = context();
    this.#admit = admit;
    this.#source = toHex(sourceOf(first));
    this.id = idOfHash(this.#context.primitives.sha256(first));
    this.#noise = createNoise(this.#context, "responder", first);
    this.#noise.readMessage(first.subarray(CLEAR_END));
    const own = encodeHello(ownHello(this.#context, { bulk: false, onDemand: false }));
    this.#answer = handshakePacket(PACKET.answer, this.id, this.#noise.writeMessage(own));
  }

  /** To send for the first packet, and again for each copy of it. */
  get answer(): Uint8Array {
    return this.#answer;
  }

  /** Takes a proof that names this handshake; undefined if it is not from whoever asked. */
  receive(packet: Uint8Array): ResponderStep | undefined {
    if (packetType(packet) !== PACKET.proof || packetId(packet) !== this.id) return undefined;
    if (this.#proof !== undefined) {
      return equalBytes(this.#proof, packet) ? { reply: this.#verdict } : undefined;
    }
    using noise = this.#noise.copy();
    let bytes: Uint8Array;
    try {
      bytes = noise.readMessage(packet.subarray(PACKET_HEAD_BYTES));
    } catch (error) {
      if (error instanceof AuthenticationError) return undefined;
      throw error;
    }
    this.#proof = packet.slice();
    const { primitives } = this.#context;
    const cipher = new EndToEndCipher(primitives, { ...noise.splitKeys(), id: this.id });
    return this.#judge(bytes, noise, cipher);
  }

  [Symbol.dispose](): void {
    this.#noise[Symbol.dispose]();
  }

  #judge(helloBytes: Uint8Array, noise: HandshakeState, cipher: EndToEndCipher): ResponderStep {
    try {
      const hello = readHello(helloBytes);
      checkVersions(hello, `of key ${this.#source.slice(0, 16)}`);
      const identity = checkPeer(this.#context, hello, noise, {
        kinds: ["node", "user"],
        expect: { keyId: this.#source },
      });
      const peer = peerOf(this.#context, identity, hello, cipher);
      this.#admit?.(peer);
      this.#verdict = cipher.sealVerdict(encodeVerdict("ready"));
      return { reply: this.#verdict, established: { peer, cipher } };
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      this.#verdict = cipher.sealVerdict(encodeVerdict(error.reason, error.message));
      cipher[Symbol.dispose]();
      return { reply: this.#verdict, refused: error };
    }
  }
}

function createNoise(
  context: HandshakeContext,
  role: "initiator" | "responder",
  first: Uint8Array,
): HandshakeState {
  return new HandshakeState(context.primitives, {
    pattern: XX_PSK0,
    role,
    prologue: prologueOf(context.trust.meshId, prologueBytes(first)),
    psks: [NO_PSK],
    static: context.self.dh,
    ephemeral: context.random.bytes(KEY_BYTES),
  });
}

/** Bytes that their sender has proven to be its own; they may be no hello all the same. */
function readHello(bytes: Uint8Array): Hello {
  try {
    return decodeHello(bytes);
  } catch (cause) {
    if (!(cause instanceof MinimeError)) throw cause;
    throw new AuthenticationError("malformed", cause.message, { cause });
  }
}

function handshakePacket(
  type: typeof PACKET.answer | typeof PACKET.proof,
  id: number,
  message: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(PACKET_HEAD_BYTES + message.length);
  writeHead(out, { type, id });
  out.set(message, PACKET_HEAD_BYTES);
  return out;
}
