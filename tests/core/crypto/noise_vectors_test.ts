/** The published handshakes of four other implementations, message by message, on every engine. */

import assert from "node:assert/strict";
import { HandshakeState, XX_PSK0 } from "../../../core/crypto/noise.ts";
import type { DhKeyPair, HandshakeRole, Session } from "../../../core/crypto/noise.ts";
import type { Primitives } from "../../../core/crypto/primitives.ts";
import { ENGINES, hex, NOBLE, primitivesOf, readVectors } from "./engines.ts";
import { patternOf } from "./noise_patterns.ts";

interface Vector {
  readonly protocol_name: string;
  readonly source: string;
  readonly init_prologue?: string;
  readonly init_psks?: readonly string[];
  readonly init_static?: string;
  readonly init_ephemeral: string;
  readonly resp_static?: string;
  readonly resp_ephemeral?: string;
  readonly handshake_hash?: string;
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[];
  /** flynn's transport messages alternate anew; the others' go on with whose turn it is. */
  readonly transportStartsAnew?: boolean;
}

const EMPTY = new Uint8Array(0);
const JSON_VECTORS: readonly Vector[] = JSON.parse(
  readVectors("noise/snow-noise-c-25519-ChaChaPoly-SHA256.json"),
).vectors;
const FLYNN_VECTORS: readonly Vector[] = readVectors("noise/flynn-25519-ChaChaPoly-SHA256.txt")
  .trim().split("\n\n").map(flynnVector);

for (const engine of ENGINES) {
  const primitives = primitivesOf(engine);
  // The reference takes milliseconds for each curve operation: there, our own pattern's relatives.
  const wanted = (all: readonly Vector[]) =>
    engine === NOBLE ? all.filter((it) => patternName(it).startsWith("XX")) : all;
  const expected = engine === NOBLE ? { json: 10, flynn: 20 } : { json: 125, flynn: 240 };

  Deno.test(`noise: vectors of snow, cacophony and noise-c on ${engine.source}`, () => {
    const vectors = wanted(JSON_VECTORS);
    assert.equal(vectors.length, expected.json);
    for (const vector of vectors) play(primitives, vector);
  });

  Deno.test(`noise: vectors of flynn, XXpsk0 among them, on ${engine.source}`, () => {
    const vectors = wanted(FLYNN_VECTORS);
    assert.equal(vectors.length, expected.flynn);
    assert.equal(vectors.filter((it) => patternName(it) === "XXpsk0").length, 4);
    for (const vector of vectors) play(primitives, vector);
  });
}

function play(primitives: Primitives, vector: Vector): void {
  const name = patternName(vector);
  const pattern = name === "XXpsk0" ? XX_PSK0 : patternOf(name);
  const statics = {
    initiator: keyPair(primitives, vector.init_static),
    responder: keyPair(primitives, vector.resp_static),
  };
  function handshake(role: HandshakeRole, ephemeral: string | undefined): HandshakeState {
    const other = role === "initiator" ? "responder" : "initiator";
    const known = pattern.known?.includes(other) ? statics[other] : undefined;
    const own = statics[role];
    return new HandshakeState(primitives, {
      pattern,
      role,
      prologue: hex(vector.init_prologue ?? ""),
      ephemeral: ephemeral ? hex(ephemeral) : new Uint8Array(32),
      ...(own ? { static: own } : {}),
      ...(known ? { remoteStatic: known.publicKey } : {}),
      psks: (vector.init_psks ?? []).map(hex),
    });
  }
  const initiator = handshake("initiator", vector.init_ephemeral);
  const responder = handshake("responder", vector.resp_ephemeral);
  const turns = pattern.messages.length;
  vector.messages.slice(0, turns).forEach(({ payload, ciphertext }, turn) => {
    const [writer, reader] = turn % 2 === 0 ? [initiator, responder] : [responder, initiator];
    const message = writer.writeMessage(hex(payload));
    assert.equal(message.toHex(), ciphertext, `${vector.source} ${name} message ${turn}`);
    assert.equal(reader.readMessage(message).toHex(), payload);
  });
  assert.ok(initiator.finished && responder.finished);
  const [a, b] = [initiator.split(), responder.split()];
  assert.deepEqual(a.handshakeHash, b.handshakeHash);
  if (vector.handshake_hash) assert.equal(a.handshakeHash.toHex(), vector.handshake_hash);
  if (sends(name, "s", 1)) assert.deepEqual(a.remoteStatic, statics.responder!.publicKey);
  if (sends(name, "s", 0)) assert.deepEqual(b.remoteStatic, statics.initiator!.publicKey);
  playTransport(vector, turns, a, b);
  for (const session of [a, b]) {
    session.send[Symbol.dispose]();
    session.receive[Symbol.dispose]();
  }
}

function playTransport(vector: Vector, turns: number, a: Session, b: Session): void {
  const transport = vector.messages.slice(turns);
  assert.ok(transport.length > 0);
  const oneWay = turns === 1 && !vector.transportStartsAnew;
  transport.forEach(({ payload, ciphertext }, index) => {
    const turn = vector.transportStartsAnew ? index : oneWay ? 0 : turns + index;
    const [from, to] = turn % 2 === 0 ? [a, b] : [b, a];
    const sealed = new Uint8Array(payload.length / 2 + 16);
    from.send.seal(EMPTY, hex(payload), sealed);
    assert.equal(sealed.toHex(), ciphertext, `${vector.protocol_name} transport ${index}`);
    const opened = new Uint8Array(payload.length / 2);
    to.receive.open(EMPTY, sealed, opened);
    assert.equal(opened.toHex(), payload);
  });
}

function sends(name: string, token: "s", side: 0 | 1): boolean {
  return patternOf(name).messages.some((tokens, index) =>
    index % 2 === side && tokens.includes(token)
  );
}

function patternName(vector: Vector): string {
  return vector.protocol_name.split("_")[1]!;
}

function keyPair(primitives: Primitives, secret: string | undefined): DhKeyPair | undefined {
  if (!secret) return undefined;
  return { secret: hex(secret), publicKey: primitives.dhPublicKey(hex(secret)) };
}

function flynnVector(block: string): Vector {
  const field = new Map(block.split("\n").map((line) => line.split("=") as [string, string]));
  const messages = [];
  for (let i = 0; field.has(`msg_${i}_payload`); i++) {
    messages.push({
      payload: field.get(`msg_${i}_payload`)!,
      ciphertext: field.get(`msg_${i}_ciphertext`)!,
    });
  }
  const name = field.get("handshake")!;
  const psk = field.get("preshared_key");
  const [init, resp] = [field.get("init_static"), field.get("resp_static")];
  return {
    protocol_name: name,
    source: "flynn",
    init_prologue: field.get("prologue") ?? "",
    init_psks: psk ? [psk] : [],
    ...(init ? { init_static: init } : {}),
    ...(resp ? { resp_static: resp } : {}),
    init_ephemeral: field.get("gen_init_ephemeral")!,
    resp_ephemeral: field.get("gen_resp_ephemeral")!,
    messages,
    transportStartsAnew: true,
  };
}
