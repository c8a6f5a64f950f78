// Both ends of a handshake over packets, and whoever stands between them.

import assert from "node:assert/strict";
import {
  EndToEnd,
  type EndToEndEstablished,
  type EndToEndInitiator,
  type EndToEndOptions,
  type EndToEndResponder,
  type ResponderStep,
} from "../../../core/conduit/end_to_end.ts";
import { PACKET, packetType } from "../../../core/conduit/end_to_end_packet.ts";
import { AuthenticationError, type AuthenticationReason } from "../../../core/errors.ts";
import type { Self, Trust } from "../../../core/mod.ts";
import { Dice, runs, SEED } from "../../support/fuzz.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { DAY_MS, type MeshKeys } from "../../support/mesh_keys.ts";
import { makeKeys } from "./parties.ts";

const clock = new ManualClock();
const keys = await makeKeys(clock);
const foreign = await makeKeys(clock);
const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };

const a = keys.person({ name: "a" });
const b = keys.person({ name: "b" });

function ends(
  self: Self,
  change: { trust?: Partial<Trust>; admit?: EndToEndOptions["admit"]; of?: MeshKeys } = {},
): EndToEnd {
  const trust = (change.of ?? keys).trust(change.trust);
  const context = () => ({ clock, random, primitives: keys.primitives, trust, self });
  return new EndToEnd({ context, ...(change.admit === undefined ? {} : { admit: change.admit }) });
}

interface Meeting {
  readonly initiator: EndToEndInitiator;
  readonly responder: EndToEndResponder;
  readonly step: ResponderStep;
  /** What the initiator has at the end. */
  finish(): EndToEndEstablished | undefined;
}

/** Up to the verdict, with nobody between them. */
function meet(from: EndToEnd, to: EndToEnd, target = b): Meeting {
  const initiator = from.initiate({ target: target.identity.keyId });
  assert.ok(to.isForUs(initiator.outgoing));
  const responder = to.respond(initiator.outgoing);
  assert.equal(initiator.receive(responder.answer), undefined);
  const step = responder.receive(initiator.outgoing);
  assert.ok(step !== undefined);
  return { initiator, responder, step, finish: () => initiator.receive(step.reply) };
}

function dispose(...all: (Disposable | undefined)[]): void {
  for (const each of all) each?.[Symbol.dispose]();
}

function isRefused(error: unknown, reason: AuthenticationReason, text: string): true {
  assert.ok(error instanceof AuthenticationError, String(error));
  assert.equal(error.reason, reason, error.message);
  assert.ok(error.message.includes(text), error.message);
  return true;
}

/** Both can read what the other seals. */
function canTalk(one: EndToEndEstablished, other: EndToEndEstablished): void {
  for (const [from, to] of [[one, other], [other, one]] as const) {
    const plain = Uint8Array.of(1, 2, 3);
    const out = new Uint8Array(100);
    from.cipher.seal(PACKET.data, { number: 0, plain, out });
    const packet = out.subarray(0, plain.length + 31);
    const into = new Uint8Array(100);
    assert.equal(to.cipher.open(packet, into), 3);
    assert.deepEqual(into.subarray(0, 3), plain);
  }
}

Deno.test("end to end: a node and a user meet a node, and both know each other", () => {
  for (const self of [a, keys.person({ name: "alice", type: "user" })]) {
    const { initiator, responder, step, finish } = meet(ends(self), ends(b));
    const near = finish();
    const far = step.established;
    assert.ok(near?.peer.kind === "node" && far !== undefined);
    assert.equal(near.peer.identity.keyId, b.identity.keyId);
    assert.equal(far.peer.kind, self.identity.type);
    assert.equal(far.peer.identity.keyId, self.identity.keyId);
    assert.equal(near.peer.session, far.peer.session);
    canTalk(near, far);
    dispose(initiator, responder, near.cipher, far.cipher);
  }
});

Deno.test("end to end: says whether it is the bulk half of a conduit", () => {
  const initiator = ends(a).initiate({ target: b.identity.keyId, bulk: true });
  const responder = ends(b).respond(initiator.outgoing);
  initiator.receive(responder.answer);
  const step = responder.receive(initiator.outgoing);
  assert.ok(step?.established?.peer.kind === "node" && step.established.peer.bulk);
  dispose(initiator, responder, step.established.cipher);
});

Deno.test("end to end: a doubled packet gets the very same answer", () => {
  const initiator = ends(a).initiate({ target: b.identity.keyId });
  const responder = ends(b).respond(initiator.outgoing);
  const { answer } = responder;
  assert.equal(responder.answer, answer);
  initiator.receive(answer);
  const proof = initiator.outgoing;
  initiator.receive(answer);
  assert.equal(initiator.outgoing, proof);
  const first = responder.receive(proof);
  const second = responder.receive(proof.slice());
  assert.ok(first?.established !== undefined && second !== undefined);
  assert.deepEqual(second, { reply: first.reply });
  const near = initiator.receive(first.reply);
  assert.equal(initiator.receive(first.reply), undefined);
  dispose(initiator, responder, near?.cipher, first.established.cipher);
});

Deno.test("end to end: the node that answers must be the one that was asked", () => {
  const c = keys.person({ name: "c" });
  const initiator = ends(a).initiate({ target: b.identity.keyId });
  // A relay that answers itself, with everything right but who it is.
  const relay = ends(c).respond(initiator.outgoing);
  const before = initiator.outgoing;
  assert.equal(initiator.receive(relay.answer), undefined);
  assert.equal(initiator.outgoing, before);
  isRefused(initiator.refusal, "wrong-name", "Dialled key");
  const responder = ends(b).respond(initiator.outgoing);
  initiator.receive(responder.answer);
  const step = responder.receive(initiator.outgoing);
  assert.ok(step?.established !== undefined);
  const near = initiator.receive(step.reply);
  assert.equal(near?.peer.identity.name, "b");
  dispose(initiator, relay, responder, near?.cipher, step.established.cipher);
});

Deno.test("end to end: who asks must hold the key that it names as its own", () => {
  const c = keys.person({ name: "c" });
  // "c" says that it is "a" in clear, and shows its own certificate.
  const liar = { ...c, identity: { ...c.identity, keyId: a.identity.keyId } };
  const { step, initiator, responder, finish } = meet(ends(liar), ends(b));
  isRefused(step.refused, "wrong-name", `Dialled key ${a.identity.keyId.slice(0, 16)} and met`);
  assert.equal(step.established, undefined);
  assert.throws(finish, (error) => isRefused(error, "wrong-name", "refuses us"));
  dispose(initiator, responder);
});

Deno.test("end to end: our own key is not dialled", () => {
  assert.throws(
    () => ends(a).initiate({ target: a.identity.keyId }),
    (error) => isRefused(error, "own-key", "we are that node"),
  );
});

Deno.test("end to end: who is admitted may still be refused, with the reason", () => {
  const admit = () => {
    throw new AuthenticationError("quota", "There are enough of you");
  };
  const { step, initiator, responder, finish } = meet(ends(a), ends(b, { admit }));
  assert.equal(step.established, undefined);
  isRefused(step.refused, "quota", "There are enough of you");
  assert.throws(finish, (error) => isRefused(error, "quota", "refuses us: There are enough"));
  dispose(initiator, responder);
});

const revoking = (self: Self): Partial<Trust> => ({
  revocations: { isRevoked: (keyId) => keyId === self.identity.keyId },
});

/** What is wrong with one side; `proven` if only the right key can have shown it. */
const DEFECTS: readonly {
  readonly what: string;
  readonly reason: AuthenticationReason;
  readonly text: string;
  readonly bad: Self;
  readonly proven: boolean;
  readonly trust?: Partial<Trust>;
}[] = [
  {
    what: "expired",
    reason: "expired",
    text: "expired 1 s ago",
    bad: keys.person({ name: "bad", notBefore: clock.now() - DAY_MS, notAfter: clock.now() - 1 }),
    proven: true,
  },
  {
    what: "not yet valid",
    reason: "not-yet-valid",
    text: "becomes valid in 60 s",
    bad: keys.person({ name: "bad", notBefore: clock.now() + 60_000 }),
    proven: true,
  },
  (() => {
    const bad = keys.person({ name: "bad" });
    const trust = revoking(bad);
    return { what: "revoked", reason: "revoked", text: "is revoked", bad, proven: true, trust };
  })(),
  {
    what: "an issuer's",
    reason: "wrong-kind",
    text: "is of type issuer",
    bad: keys.person({ name: "bad", type: "issuer" }),
    proven: true,
  },
  {
    what: "for another key than the one used",
    reason: "key-mismatch",
    text: "is not for the key that was used",
    bad: { ...keys.person({ name: "bad" }), dh: keys.person({ name: "other" }).dh },
    proven: false,
  },
  {
    what: "of another mesh",
    reason: "wrong-mesh",
    text: "is of mesh",
    bad: foreign.person({ name: "bad" }),
    proven: false,
  },
];

for (const { what, reason, text, bad, proven, trust = {} } of DEFECTS) {
  Deno.test(`end to end: an initiator whose certificate is ${what} is refused, and told why`, () => {
    const { step, initiator, responder, finish } = meet(ends(bad), ends(b, { trust }));
    isRefused(step.refused, reason, text);
    assert.throws(finish, (error) => isRefused(error, reason, "refuses us"));
    dispose(initiator, responder);
  });

  Deno.test(`end to end: a responder whose certificate is ${what} is not taken`, () => {
    const initiator = ends(a, { trust }).initiate({ target: bad.identity.keyId });
    const responder = ends(bad).respond(initiator.outgoing);
    const before = initiator.outgoing;
    if (proven) {
      const take = () => initiator.receive(responder.answer);
      assert.throws(take, (error) => isRefused(error, reason, text));
    } else {
      assert.equal(initiator.receive(responder.answer), undefined);
      isRefused(initiator.refusal, reason, text);
    }
    assert.equal(initiator.outgoing, before);
    dispose(initiator, responder);
  });
}

Deno.test("end to end: a name that was expected must be the one in the certificate", () => {
  const initiator = ends(a).initiate({ target: b.identity.keyId, name: "c" });
  const responder = ends(b).respond(initiator.outgoing);
  assert.throws(
    () => initiator.receive(responder.answer),
    (error) => isRefused(error, "wrong-name", 'Dialled "c" and met "b"'),
  );
  dispose(initiator, responder);
});

Deno.test("end to end: whoever is of another mesh gets no answer", () => {
  const stranger = foreign.person({ name: "a" });
  const initiator = ends(stranger, { of: foreign }).initiate({ target: b.identity.keyId });
  const responder = ends(b);
  assert.ok(responder.isForUs(initiator.outgoing), "it cannot be told by its form");
  assert.throws(() => responder.respond(initiator.outgoing), { reason: "tag" });
  dispose(initiator);
});

Deno.test("end to end: what is for others is told by its form", () => {
  const initiator = ends(a).initiate({ target: b.identity.keyId });
  const { outgoing } = initiator;
  assert.equal(ends(a).isForUs(outgoing), false);
  const responder = ends(b);
  for (const packet of [outgoing.subarray(1), outgoing.subarray(0, -1), new Uint8Array(0)]) {
    assert.equal(responder.isForUs(packet), false);
  }
  for (const at of [0, 1, 5, 10, 50, 80]) {
    const packet = outgoing.slice();
    packet[at]! ^= 1;
    // The source's key id is anybody's until the handshake has proven it.
    assert.equal(responder.isForUs(packet), at >= 17 && at < 49, `byte ${at}`);
  }
  dispose(initiator);
});

/** Flips, cuts, extends, or makes up a packet. */
function mutant(dice: Dice, packet: Uint8Array): Uint8Array {
  const kind = dice.below(5);
  if (kind === 0) return packet.slice(0, dice.below(packet.length));
  if (kind === 1) return Uint8Array.of(...packet, ...dice.bytes(1 + dice.below(20)));
  if (kind === 2) return dice.bytes(dice.below(300));
  const changed = packet.slice();
  const times = kind === 3 ? 1 : 1 + dice.below(8);
  for (let i = 0; i < times; i++) changed[dice.below(changed.length)]! ^= 1 << dice.below(8);
  if (changed.every((byte, i) => byte === packet[i])) changed[changed.length - 1]! ^= 1;
  return changed;
}

Deno.test("end to end: no packet that others make spoils it, changes it or ends it", () => {
  const { numRuns } = runs(300);
  const [from, to] = [ends(a), ends(b)];
  const others = meet(from, to);
  const evil = ends(keys.person({ name: "evil" }));
  for (let run = 0; run < numRuns; run++) {
    const dice = new Dice(SEED + run);
    const initiator = from.initiate({ target: b.identity.keyId });
    const first = initiator.outgoing;
    const fake = evil.respond(first);
    const responder = to.respond(first);
    const seen = [
      first,
      responder.answer,
      fake.answer,
      others.step.reply,
      others.initiator.outgoing,
    ];
    const inject = () => {
      const before = initiator.outgoing;
      for (let i = dice.below(6); i > 0; i--) {
        const packet = dice.pick(seen);
        const bad = dice.below(3) === 0 ? packet.slice() : mutant(dice, packet);
        // Both ends: nobody says where a packet is put.
        const taken = [responder.answer, initiator.outgoing, first].some((good) =>
          good.length === bad.length && good.every((byte, at) => byte === bad[at])
        );
        if (taken) continue;
        assert.equal(initiator.receive(bad), undefined);
        assert.equal(responder.receive(bad)?.established, undefined);
      }
      assert.equal(initiator.outgoing, before);
    };
    inject();
    assert.equal(initiator.receive(responder.answer), undefined);
    assert.equal(packetType(initiator.outgoing), PACKET.proof);
    inject();
    const step = responder.receive(initiator.outgoing);
    assert.ok(step?.established !== undefined);
    seen.push(initiator.outgoing);
    inject();
    const near = initiator.receive(step.reply);
    assert.ok(near !== undefined);
    canTalk(near, step.established);
    dispose(initiator, responder, fake, near.cipher, step.established.cipher);
  }
  dispose(others.initiator, others.responder, others.step.established?.cipher);
});

Deno.test("end to end: every byte of the first packet is bound into the handshake", () => {
  const initiator = ends(a).initiate({ target: b.identity.keyId });
  const to = ends(b);
  for (let at = 0; at < initiator.outgoing.length; at++) {
    const packet = initiator.outgoing.slice();
    packet[at]! ^= 0x40;
    if (!to.isForUs(packet)) continue;
    assert.throws(() => to.respond(packet), { name: "AuthenticationError" }, `byte ${at}`);
  }
  dispose(initiator);
});
