/**
 * The handshake of every tcp conduit: Noise_XXpsk0_25519_ChaChaPoly_SHA256, certificates inside,
 * READY last. It moves its few messages over a byte pipe and leaves a cipher behind.
 *
 *   I -> R  preamble 16 | u16 48 | e, tag                66 bytes exactly, within FIRST_BYTES_MS_MAX
 *   R -> I  u16 n | e, ee, s, es | hello
 *   I -> R  u16 n | s, se | hello                        only after R has been checked
 *   R -> I  READY, or REJECT(code, text), encrypted      only after I has been checked
 *
 * A stranger (wrong mesh, wrong PSK, garbage) gets no byte back. Before a peer is authenticated
 * only fixed-size reads and one bounded read are made of it (R2).
 */

import type { Peer } from "./conduit.ts";
import { namingClocks } from "./clock_offset.ts";
import type { FrameCipher } from "./framed.ts";
import type { BytePipe, Clock, Random } from "../environment/environment.ts";
import {
  AUTHENTICATION_REASONS,
  AuthenticationError,
  type AuthenticationReason,
  ConnectionError,
} from "../errors.ts";
import { CLOCK_SKEW_MS_MAX, HANDSHAKE_BYTES_MAX, HANDSHAKE_MS_MAX, TAG_BYTES } from "../limits.ts";
import { equalBytes, toHex } from "../wire/bytes.ts";
import { isSignedBy, parseCertificate } from "../security/certificate.ts";
import { type Identity, verifyChain } from "../security/chain.ts";
import {
  CONDUIT_KIND,
  type ConduitKind,
  decodeHello,
  decodePreamble,
  encodeHello,
  encodePreamble,
  type Hello,
  PREAMBLE_BYTES,
  prologueOf,
} from "../security/hello.ts";
import { findSecret, secretsAt } from "../security/mesh_secrets.ts";
import { PROTOCOL_NEWEST, PROTOCOL_OLDEST, REVISION_NEWEST } from "../version.ts";
import { HandshakeState, XX_PSK0 } from "../crypto/noise.ts";
import { NoiseFrameCipher } from "./noise_frame_cipher.ts";
import type { Primitives } from "../crypto/primitives.ts";
import type { MeshSecret, Self, Trust } from "../security/trust.ts";
import { PipeReader } from "./pipe_reader.ts";

const READY = 0;
const REJECT = 1;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NO_BYTES = new Uint8Array(0);

export interface HandshakeContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly primitives: Primitives;
  readonly trust: Trust;
  readonly self: Self;
  /** The key that a token stands for, by the token's id. @default nobody may join here */
  readonly joining?: (tokenId: Uint8Array) => MeshSecret | undefined;
  /** What we say that we know of the protocol, see REVISION. @default all there is */
  readonly revision?: number | undefined;
}

export interface Expectation {
  readonly name?: string;
  readonly keyId?: string;
}

/** A conduit's beginning: who is there, and how to talk. */
export interface Established {
  readonly peer: Extract<Peer, { kind: "node" | "user" | "joiner" }>;
  readonly cipher: FrameCipher;
  /** Bytes that came behind the handshake. */
  readonly received: Uint8Array;
}

/** Dials as a node (link) or as a user's program (client). The caller closes the pipe on failure. */
export async function initiateHandshake(
  context: HandshakeContext,
  options: {
    readonly pipe: BytePipe;
    readonly expect: Expectation;
    readonly bulk: boolean;
    readonly onDemand: boolean;
    /** With a token in place of the PSK, and a request in place of a certificate. @default false */
    readonly join?: boolean;
    readonly signal?: AbortSignal;
  },
): Promise<Established> {
  const { pipe, bulk, onDemand } = options;
  const kind = options.join === true
    ? CONDUIT_KIND.join
    : context.self.identity.type === "node"
    ? CONDUIT_KIND.link
    : CONDUIT_KIND.client;
  const [secret] = secretsAt(context.trust, context.clock.now()) as [MeshSecret];
  const preamble = encodePreamble({ kind, pskId: secret.id });
  using noise = createNoise(context, "initiator", preamble, secret);
  const reader = new PipeReader(pipe, context.clock, options.signal);
  reader.limit(HANDSHAKE_MS_MAX, "Handshake");
  try {
    await pipe.write(withLength(noise.writeMessage(NO_BYTES), preamble));
    const answer = noise.readMessage(await readAnswer(reader, pipe.remote));
    const hello = decodeHello(answer);
    const identity = checkPeer(context, hello, noise, { kinds: ["node"], expect: options.expect });
    const own = encodeHello(ownHello(context, { bulk, onDemand }));
    await pipe.write(withLength(noise.writeMessage(own), NO_BYTES));
    const cipher = new NoiseFrameCipher(noise.split());
    try {
      // Only now, so that the other end knows our versions too and both can name them.
      checkVersions(hello, `"${identity.name}" at ${pipe.remote}`);
      readVerdict(await readLengthPrefixed(reader), cipher, pipe.remote);
    } catch (error) {
      cipher.dispose();
      throw error;
    }
    const peer = peerOf(context, identity, { ...hello, bulk, onDemand }, cipher);
    return { peer, cipher, received: reader.rest() };
  } finally {
    reader.dispose();
  }
}

/**
 * Answers a dial whose first 66 bytes are here. `admit` may refuse an authenticated peer by throwing
 * AuthenticationError, whose text the peer gets.
 */
export async function respondHandshake(
  context: HandshakeContext,
  options: {
    readonly pipe: BytePipe;
    readonly reader: PipeReader;
    readonly first: Uint8Array;
    readonly admit?: (peer: Established["peer"]) => void;
  },
): Promise<Established> {
  const { pipe, reader, first } = options;
  const preambleBytes = first.subarray(0, PREAMBLE_BYTES);
  const preamble = decodePreamble(preambleBytes);
  // Before anything is sent or remembered.
  if (preamble.kind !== CONDUIT_KIND.join) wantedPeer(preamble.kind);
  const isJoining = preamble.kind === CONDUIT_KIND.join;
  const secret = isJoining
    ? context.joining?.(preamble.pskId)
    : findSecret(context.trust, { id: preamble.pskId, now: context.clock.now() });
  if (secret === undefined) {
    throw new AuthenticationError("wrong-mesh", `Peer ${pipe.remote} names an unknown PSK`);
  }
  const body = first.subarray(PREAMBLE_BYTES);
  if ((body[0] as number) * 256 + (body[1] as number) !== body.length - 2) {
    throw new AuthenticationError("malformed", `Peer ${pipe.remote} sent a wrong first length`);
  }
  using noise = createNoise(context, "responder", preambleBytes, secret);
  noise.readMessage(body.subarray(2));
  const own = encodeHello(ownHello(context, { bulk: false, onDemand: false }));
  await pipe.write(withLength(noise.writeMessage(own), NO_BYTES));
  const hello = decodeHello(noise.readMessage(await readLengthPrefixed(reader)));
  const cipher = new NoiseFrameCipher(noise.split());
  try {
    const peer = isJoining ? joinerOf(context, hello, { noise, token: preamble.pskId }) : peerOf(
      context,
      checkPeer(context, hello, noise, { kinds: [wantedPeer(preamble.kind)], expect: {} }),
      hello,
      cipher,
    );
    // Who it is has been proven: both logs name the node.
    const { name } = peer.kind === "joiner" ? peer.request : peer.identity;
    checkVersions(hello, `"${name}" at ${pipe.remote}`);
    options.admit?.(peer);
    await pipe.write(sealVerdict(cipher, encodeVerdict("ready")));
    return { peer, cipher, received: reader.rest() };
  } catch (error) {
    try {
      // The peer has proven that it knows the mesh's secret, so it may learn why it cannot stay.
      if (error instanceof AuthenticationError) {
        await pipe.write(sealVerdict(cipher, encodeVerdict(error.reason, error.message)));
      }
    } catch {
      // It went away without waiting for the reason, which is still the one to be told here.
    } finally {
      cipher.dispose();
    }
    throw error;
  }
}

function createNoise(
  context: HandshakeContext,
  role: "initiator" | "responder",
  preamble: Uint8Array,
  secret: MeshSecret,
): HandshakeState {
  return new HandshakeState(context.primitives, {
    pattern: XX_PSK0,
    role,
    prologue: prologueOf(context.trust.meshId, preamble),
    psks: [secret.psk],
    static: context.self.dh,
    ephemeral: context.random.bytes(32),
  });
}

function wantedPeer(kind: ConduitKind): "node" | "user" {
  if (kind === CONDUIT_KIND.link) return "node";
  if (kind === CONDUIT_KIND.client) return "user";
  throw new AuthenticationError("wrong-kind", `Conduits of kind ${kind} are not accepted here`);
}

/** The checks of SECURITY.md 2 in their order; strict parsing has happened. */
export function checkPeer(
  context: HandshakeContext,
  hello: Hello,
  noise: Pick<HandshakeState, "remoteStatic">,
  wanted: { readonly kinds: readonly ("node" | "user")[]; readonly expect: Expectation },
): Identity {
  const { trust, self, primitives, clock } = context;
  const now = clock.now();
  const identity = namingClocks({ theirs: hello.unixMs, ours: now }, () =>
    verifyChain(primitives, {
      chain: hello.chain,
      rootPublicKey: trust.rootPublicKey,
      meshId: trust.meshId,
      now,
      skewMs: CLOCK_SKEW_MS_MAX,
      revocations: trust.revocations,
      types: wanted.kinds,
      cache: trust.verified,
    }));
  if (!equalBytes(identity.dhPublicKey, noise.remoteStatic ?? NO_BYTES)) {
    throw new AuthenticationError(
      "key-mismatch",
      `Certificate of "${identity.name}" is not for the key that was used`,
    );
  }
  if (identity.keyId === self.identity.keyId) {
    throw new AuthenticationError(
      "own-key",
      "Peer uses our own key: a copy of us, or we ourselves",
    );
  }
  const { name, keyId } = wanted.expect;
  if (name !== undefined && name !== identity.name) {
    throw new AuthenticationError("wrong-name", `Dialled "${name}" and met "${identity.name}"`);
  }
  if (keyId !== undefined && keyId !== identity.keyId) {
    throw new AuthenticationError(
      "wrong-name",
      `Dialled key ${keyId.slice(0, 16)} and met ${identity.keyId.slice(0, 16)}` +
        ` of "${identity.name}"`,
    );
  }
  return identity;
}

/** Throws unless there is a version that both speak. */
export function checkVersions(hello: Hello, remote: string): void {
  if (hello.oldest <= PROTOCOL_NEWEST && hello.newest >= PROTOCOL_OLDEST) return;
  throw new AuthenticationError(
    "version",
    `Peer ${remote} speaks protocol ${hello.oldest} to ${hello.newest}, we speak ` +
      `${PROTOCOL_OLDEST} to ${PROTOCOL_NEWEST}`,
  );
}

/** What the conduit tells of its other end. */
export function peerOf(
  context: HandshakeContext,
  identity: Identity,
  hello: Hello,
  cipher: Pick<NoiseFrameCipher, "handshakeHash">,
): Extract<Peer, { kind: "node" | "user" }> {
  const session = toHex(cipher.handshakeHash);
  const clockOffsetMs = hello.unixMs - context.clock.now();
  if (identity.type === "user") return { kind: "user", identity, session, clockOffsetMs };
  return {
    kind: "node",
    identity,
    instance: toHex(hello.instance),
    bulk: hello.bulk,
    onDemand: hello.onDemand,
    secretsVersion: hello.secretsVersion,
    version: hello.newest,
    revision: hello.revision,
    clockOffsetMs,
    session,
  };
}

/** Proves only that they have the keys that they ask for: the token is what admits them. */
function joinerOf(
  { primitives }: HandshakeContext,
  hello: Hello,
  proof: { readonly noise: Pick<HandshakeState, "remoteStatic">; readonly token: Uint8Array },
): Extract<Peer, { kind: "joiner" }> {
  const [bytes = NO_BYTES] = hello.chain;
  const request = parseCertificate(primitives, bytes);
  const publicKey = request.signPublicKey;
  if (request.type !== "request" || !isSignedBy(primitives, { certificate: request, publicKey })) {
    throw new AuthenticationError(
      "chain",
      "Who joins shows a request for a certificate, signed by its own key",
    );
  }
  if (!equalBytes(request.dhPublicKey, proof.noise.remoteStatic ?? NO_BYTES)) {
    throw new AuthenticationError("key-mismatch", "Request is not for the key that was used");
  }
  return { kind: "joiner", request, token: toHex(proof.token) };
}

/** What we say of ourselves. */
export function ownHello(
  context: HandshakeContext,
  flags: Pick<Hello, "bulk" | "onDemand">,
): Hello {
  return {
    chain: context.self.identity.chain,
    instance: context.self.instance,
    unixMs: Math.max(0, Math.floor(context.clock.now())),
    revocationVersion: context.trust.revocationVersion,
    policyVersion: context.trust.policyVersion,
    secretsVersion: context.trust.secretsDocument?.version ?? 0,
    oldest: PROTOCOL_OLDEST,
    newest: PROTOCOL_NEWEST,
    revision: context.revision ?? REVISION_NEWEST,
    ...flags,
  };
}

function withLength(message: Uint8Array, before: Uint8Array): Uint8Array {
  const out = new Uint8Array(before.length + 2 + message.length);
  out.set(before);
  out[before.length] = message.length >>> 8;
  out[before.length + 1] = message.length;
  out.set(message, before.length + 2);
  return out;
}

/** A peer that does not know our PSK says nothing at all, so nothing says more than that. */
async function readAnswer(reader: PipeReader, remote: string): Promise<Uint8Array> {
  try {
    return await readLengthPrefixed(reader);
  } catch (cause) {
    if (!(cause instanceof ConnectionError) || cause.reason !== "reset") throw cause;
    throw new ConnectionError(
      "reset",
      `Connection with ${remote} ended in the handshake, without a word: perhaps it is of another ` +
        "mesh, or the mesh has another PSK since we were away",
      { cause },
    );
  }
}

async function readLengthPrefixed(reader: PipeReader): Promise<Uint8Array> {
  const head = await reader.read(2);
  const length = (head[0] as number) * 256 + (head[1] as number);
  if (length < TAG_BYTES || length > HANDSHAKE_BYTES_MAX) {
    throw new AuthenticationError("malformed", `Handshake message promises ${length} bytes`);
  }
  return await reader.read(length);
}

/** READY, or REJECT with its reason and text: the responder's last word, in plain. */
export function encodeVerdict(
  reason: AuthenticationReason | "ready",
  text = "",
): Uint8Array<ArrayBuffer> {
  const verdict = reason === "ready" ? READY : REJECT;
  return encoder.encode(`${String.fromCharCode(verdict)}${reason}\n${text.slice(0, 512)}`);
}

/** Throws AuthenticationError when it is a REJECT, and ConnectionError when it is no verdict. */
export function decodeVerdict(plain: Uint8Array, remote: string): void {
  if (plain[0] === READY) return;
  const [reason = "", text = ""] = decoder.decode(plain.subarray(1)).split("\n");
  if (plain[0] !== REJECT) throw new ConnectionError("other", `Peer ${remote} sent no verdict`);
  const known = AUTHENTICATION_REASONS.find((one) => one === reason) ?? "handshake";
  throw new AuthenticationError(known, `Peer ${remote} refuses us: ${text}`);
}

function sealVerdict(cipher: NoiseFrameCipher, plain: Uint8Array): Uint8Array {
  const out = new Uint8Array(plain.length + TAG_BYTES);
  cipher.seal(plain, out);
  return withLength(out, NO_BYTES);
}

function readVerdict(sealed: Uint8Array, cipher: NoiseFrameCipher, remote: string): void {
  const plain = new Uint8Array(sealed.length - TAG_BYTES);
  cipher.open(sealed, plain);
  decodeVerdict(plain, remote);
}
