/** What the handshake does when the other side, or the caller, does not play along. */

import assert from "node:assert/strict";
import { HandshakeState, XX_PSK0 } from "../../../core/crypto/noise.ts";
import type { HandshakeOptions, HandshakeRole } from "../../../core/crypto/noise.ts";
import type { Primitives } from "../../../core/crypto/primitives.ts";
import { NATIVE, primitivesOf } from "./engines.ts";
import { patternOf } from "./noise_patterns.ts";

const PRIMITIVES = primitivesOf(NATIVE);
const EMPTY = new Uint8Array(0);
const PSK = filled(0x77);
const STATICS = {
  initiator: { secret: filled(1), publicKey: PRIMITIVES.dhPublicKey(filled(1)) },
  responder: { secret: filled(2), publicKey: PRIMITIVES.dhPublicKey(filled(2)) },
};

function filled(byte: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(32).fill(byte);
}

function xx(
  role: HandshakeRole,
  changes: Partial<HandshakeOptions> = {},
  primitives: Primitives = PRIMITIVES,
): HandshakeState {
  return new HandshakeState(primitives, {
    pattern: XX_PSK0,
    role,
    prologue: Uint8Array.of(1, 2, 3),
    ephemeral: filled(role === "initiator" ? 3 : 4),
    static: STATICS[role],
    psks: [PSK],
    ...changes,
  });
}

function text(value: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(value);
}

Deno.test("handshake: both ends prove themselves and agree on a session", () => {
  const [initiator, responder] = [xx("initiator"), xx("responder")];
  const first = initiator.writeMessage(EMPTY);
  assert.equal(first.length, 48, "e and a tag");
  assert.deepEqual(responder.readMessage(first), EMPTY);
  assert.equal(responder.remoteStatic, undefined);
  assert.deepEqual(initiator.readMessage(responder.writeMessage(text("to you"))), text("to you"));
  assert.deepEqual(initiator.remoteStatic, STATICS.responder.publicKey);
  assert.equal(initiator.finished, false);
  assert.deepEqual(responder.readMessage(initiator.writeMessage(text("to me"))), text("to me"));
  const [a, b] = [initiator.split(), responder.split()];
  assert.deepEqual(a.handshakeHash, b.handshakeHash);
  assert.deepEqual(a.remoteStatic, STATICS.responder.publicKey);
  assert.deepEqual(b.remoteStatic, STATICS.initiator.publicKey);
  for (const [from, to] of [[a, b], [b, a]] as const) {
    const frame = new Uint8Array(20);
    for (let n = 0; n < 3; n++) {
      from.send.seal(EMPTY, Uint8Array.of(n, n, n, n), frame);
      to.receive.open(EMPTY, frame, frame);
      assert.deepEqual(frame.subarray(0, 4), Uint8Array.of(n, n, n, n));
    }
  }
});

Deno.test("handshake: a stranger without the key is dropped before any curve operation", () => {
  const counts = { curves: 0 };
  const counted: Primitives = {
    ...PRIMITIVES,
    dh: (...args) => (counts.curves++, PRIMITIVES.dh(...args)),
    dhPublicKey: (secret) => (counts.curves++, PRIMITIVES.dhPublicKey(secret)),
  };
  const responder = xx("responder", {}, counted);
  const strangers = xx("initiator", { psks: [filled(0)] }).writeMessage(EMPTY);
  assert.throws(() => responder.readMessage(strangers), {
    name: "AuthenticationError",
    reason: "tag",
  });
  assert.equal(counts.curves, 0);
  xx("responder", {}, counted).readMessage(xx("initiator").writeMessage(EMPTY));
  assert.equal(counts.curves, 0, "nor for a friend, before the answer is written");
});

Deno.test("handshake: a changed bit in any message is refused", () => {
  for (let turn = 0; turn < 3; turn++) {
    const bits = played(turn)[2].length * 8;
    for (let bit = 0; bit < bits; bit += 7) {
      const [, reader, message] = played(turn);
      message[bit >> 3]! ^= 1 << (bit & 7);
      assert.throws(() => reader.readMessage(message), { name: "AuthenticationError" });
      assert.throws(() => reader.readMessage(message), {
        name: "MinimeError",
        message: "Handshake cannot read a message: it failed before",
      });
    }
  }
});

Deno.test("handshake: a message that is too short or too long is refused", () => {
  for (let turn = 0; turn < 3; turn++) {
    const whole = played(turn)[2].length;
    for (let bytes = 0; bytes < whole; bytes++) {
      const [, reader, message] = played(turn);
      assert.throws(() => reader.readMessage(message.subarray(0, bytes)), {
        name: "AuthenticationError",
        message: /^(Handshake message of \d+ bytes cannot be right|Sealed bytes were changed)/,
      });
    }
    const [, reader, message] = played(turn);
    const longer = new Uint8Array(message.length + 1);
    longer.set(message);
    assert.throws(() => reader.readMessage(longer), { reason: "tag" });
  }
  assert.throws(() => xx("responder").readMessage(new Uint8Array(65_536)), {
    reason: "malformed",
    message: "Handshake message of 65536 bytes cannot be right",
  });
  assert.throws(() => xx("initiator").writeMessage(new Uint8Array(65_536 - 48)), {
    name: "RangeError",
    message: "Handshake message has 65536 bytes, over the limit",
  });
});

Deno.test("handshake: every byte of the prologue counts", () => {
  const responder = xx("responder", { prologue: Uint8Array.of(1, 2, 4) });
  const first = xx("initiator").writeMessage(EMPTY);
  assert.throws(() => responder.readMessage(first), { reason: "tag" });
});

Deno.test("handshake: an ephemeral key of small order is refused", () => {
  // The sender knows the pre-shared key, so only the shared secret gives him away.
  const forger: Primitives = { ...PRIMITIVES, dhPublicKey: () => filled(0) };
  const responder = xx("responder");
  responder.readMessage(xx("initiator", {}, forger).writeMessage(EMPTY));
  assert.throws(() => responder.writeMessage(EMPTY), {
    name: "AuthenticationError",
    reason: "handshake",
    message: "Public key has a small order",
  });
  assert.throws(() => responder.writeMessage(EMPTY), { message: /it failed before$/ });
});

Deno.test("handshake: messages out of turn are refused and do no harm", () => {
  const [initiator, responder] = [xx("initiator"), xx("responder")];
  assert.throws(() => initiator.readMessage(EMPTY), {
    message: "Handshake cannot read a message: it is at message 0 of 3 as initiator",
  });
  assert.throws(() => responder.writeMessage(EMPTY), {
    message: "Handshake cannot write a message: it is at message 0 of 3 as responder",
  });
  assert.throws(() => responder.split(), {
    message: "Handshake cannot be split: it is at message 0 of 3 as responder",
  });
  responder.readMessage(initiator.writeMessage(EMPTY));
  initiator.readMessage(responder.writeMessage(EMPTY));
  responder.readMessage(initiator.writeMessage(EMPTY));
  assert.throws(() => initiator.writeMessage(EMPTY), {
    message: "Handshake cannot write a message: it is at message 3 of 3 as initiator",
  });
  responder.split();
  assert.throws(() => responder.split(), { message: "Handshake cannot be split: it is over" });
  assert.equal(responder.finished, false);
});

Deno.test("handshake: missing and superfluous keys are named at the door", () => {
  const ik = patternOf("IK");
  const cases: [Partial<HandshakeOptions>, HandshakeRole, string][] = [
    [{ psks: [] }, "initiator", "psks must hold 1 keys for XXpsk0, not 0"],
    [{ psks: [PSK, PSK] }, "initiator", "psks must hold 1 keys for XXpsk0, not 2"],
    [{ psks: [EMPTY] }, "initiator", "Keys of a handshake have 32 bytes"],
    [{ ephemeral: EMPTY }, "responder", "Keys of a handshake have 32 bytes"],
    [
      { remoteStatic: filled(9) },
      "initiator",
      "remoteStatic must not be given for XXpsk0 as initiator",
    ],
    [{ pattern: ik, psks: [] }, "initiator", "remoteStatic must be given for IK as initiator"],
  ];
  for (const [changes, role, message] of cases) {
    assert.throws(() => xx(role, changes), { name: "RangeError", message });
  }
  for (const role of ["initiator", "responder"] as const) {
    const { static: _, ...options } = optionsOf(role);
    assert.throws(() => new HandshakeState(PRIMITIVES, options), {
      name: "RangeError",
      message: `static must be given for XXpsk0 as ${role}`,
    });
  }
});

function optionsOf(role: HandshakeRole): HandshakeOptions {
  const own = STATICS[role];
  return {
    pattern: XX_PSK0,
    role,
    prologue: EMPTY,
    ephemeral: filled(3),
    static: own,
    psks: [PSK],
  };
}

/** A handshake up to and including the writing of message `turn`: writer, reader, that message. */
function played(turn: number): [HandshakeState, HandshakeState, Uint8Array<ArrayBuffer>] {
  let [writer, reader] = [xx("initiator"), xx("responder")];
  for (let i = 0;; i++) {
    const message = writer.writeMessage(text("payload"));
    if (i === turn) return [writer, reader, message];
    reader.readMessage(message);
    [writer, reader] = [reader, writer];
  }
}

Deno.test("handshake: a wrong message tried on a copy spoils nothing", () => {
  const [initiator, responder] = [xx("initiator"), xx("responder")];
  responder.readMessage(initiator.writeMessage(EMPTY));
  const answer = responder.writeMessage(text("hello"));
  for (const wrong of [new Uint8Array(200), answer.subarray(1), answer.slice().fill(0, 40, 41)]) {
    using copy = initiator.copy();
    assert.throws(() => copy.readMessage(wrong), { name: "AuthenticationError" });
    assert.throws(() => copy.copy(), /cannot be copied: it failed before/);
  }
  using copy = initiator.copy();
  assert.deepEqual(copy.readMessage(answer), text("hello"));
  assert.deepEqual(initiator.readMessage(answer), text("hello"));
  const proof = initiator.writeMessage(EMPTY);
  assert.deepEqual(copy.writeMessage(EMPTY), proof);
  responder.readMessage(proof);
  const [ours, copies, theirs] = [initiator, copy, responder].map((each) => each.splitKeys());
  assert.deepEqual(copies, ours);
  assert.deepEqual(theirs?.receive, ours?.send);
  assert.deepEqual(theirs?.send, ours?.receive);
  assert.notDeepEqual(ours?.send, ours?.receive);
});
