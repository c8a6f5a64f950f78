// Packets that say their own number: lost, doubled, late and altered ones.

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  EndToEndCipher,
  nextEpoch,
  SEALED_OVERHEAD_BYTES,
} from "../../../core/conduit/end_to_end_cipher.ts";
import {
  PACKET,
  packetId,
  packetNumber,
  packetType,
} from "../../../core/conduit/end_to_end_packet.ts";
import { REKEY_FRAMES } from "../../../core/limits.ts";
import { runs } from "../../support/fuzz.ts";
import { testPrimitives } from "../../support/mesh_keys.ts";

const primitives = await testPrimitives();
const ID = 0x1234_5678_9abc;

function pair(): [EndToEndCipher, EndToEndCipher] {
  const [one, two] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const shared = { handshakeHash: new Uint8Array(32), remoteStatic: undefined, id: ID };
  return [
    new EndToEndCipher(primitives, { ...shared, send: one.slice(), receive: two.slice() }),
    new EndToEndCipher(primitives, { ...shared, send: two, receive: one }),
  ];
}

type Type = typeof PACKET.data | typeof PACKET.mark;

function seal(cipher: EndToEndCipher, number: number, type: Type = PACKET.data): Uint8Array {
  const plain = plainOf(number);
  const out = new Uint8Array(plain.length + SEALED_OVERHEAD_BYTES);
  cipher.seal(type, { number, plain, out });
  return out;
}

function plainOf(number: number): Uint8Array {
  return new Uint8Array(8 + number % 50).fill(number);
}

function opened(cipher: EndToEndCipher, packet: Uint8Array): Uint8Array | undefined {
  const out = new Uint8Array(packet.length);
  const bytes = cipher.open(packet.slice(), out);
  return bytes < 0 ? undefined : out.slice(0, bytes);
}

function dispose(...ciphers: EndToEndCipher[]): void {
  for (const cipher of ciphers) cipher[Symbol.dispose]();
}

Deno.test("end-to-end cipher: packets open in any order, any number of times", () => {
  const [one, other] = pair();
  const packets = Array.from({ length: 20 }, (_, number) => seal(one, number));
  for (const number of [19, 0, 7, 7, 3, 19, 18]) {
    const packet = packets[number] as Uint8Array;
    assert.deepEqual([packetType(packet), packetId(packet)], [PACKET.data, ID]);
    assert.equal(packetNumber(packet), number);
    assert.deepEqual(opened(other, packet), plainOf(number));
  }
  dispose(one, other);
});

Deno.test("end-to-end cipher: keys change with the epochs, two of which are open at once", () => {
  const [one, other] = pair();
  const last = seal(one, REKEY_FRAMES - 1);
  const first = seal(one, REKEY_FRAMES);
  const far = seal(one, 2 * REKEY_FRAMES + 5);
  assert.deepEqual(opened(other, first), plainOf(REKEY_FRAMES));
  assert.deepEqual(opened(other, last), plainOf(REKEY_FRAMES - 1));
  assert.equal(opened(other, far), undefined, "two epochs ahead");
  other.forget(REKEY_FRAMES - 1);
  assert.deepEqual(opened(other, last), plainOf(REKEY_FRAMES - 1), "its epoch is still needed");
  other.forget(REKEY_FRAMES);
  assert.equal(opened(other, last), undefined);
  assert.deepEqual(opened(other, first), plainOf(REKEY_FRAMES));
  assert.deepEqual(opened(other, far), plainOf(2 * REKEY_FRAMES + 5));
  other.forget(3 * REKEY_FRAMES + 1);
  assert.deepEqual(opened(other, seal(one, 3 * REKEY_FRAMES + 9)), plainOf(3 * REKEY_FRAMES + 9));
  assert.deepEqual([nextEpoch(0), nextEpoch(REKEY_FRAMES)], [REKEY_FRAMES, 2 * REKEY_FRAMES]);
  dispose(one, other);
});

Deno.test("end-to-end cipher: each epoch has a key of its own", () => {
  const [one, other] = pair();
  const packet = seal(one, 5);
  const moved = packet.slice();
  // As if it were number 65,541: the nonce would be another one too, so the key alone is not seen.
  moved[12] = 1;
  assert.equal(packetNumber(moved), REKEY_FRAMES + 5);
  assert.equal(opened(other, moved), undefined);
  assert.throws(() => {
    seal(one, REKEY_FRAMES);
    seal(one, 6);
  }, /must rise/);
  dispose(one, other);
});

Deno.test("end-to-end cipher: a number is not sealed that is a report's", () => {
  const [one, other] = pair();
  assert.throws(() => seal(one, 2 ** 52), /no numbers left/);
  const packet = seal(one, 1);
  // A type byte of 0xff.. in the number: larger than any that is used.
  packet.fill(0xff, 7, 15);
  assert.equal(opened(other, packet), undefined);
  assert.equal(other.openReport(packet), undefined);
  dispose(one, other);
});

Deno.test("end-to-end cipher: a report counts once, and never after a newer one", () => {
  const [one, other] = pair();
  const reports = [1, 2, 3, 4].map((n) => one.sealReport(Uint8Array.of(n)));
  const open = (i: number) => other.openReport((reports[i] as Uint8Array).slice());
  assert.deepEqual(open(1), Uint8Array.of(2));
  assert.equal(open(1), undefined);
  assert.equal(open(0), undefined);
  assert.deepEqual(open(3), Uint8Array.of(4));
  assert.equal(open(2), undefined);
  dispose(one, other);
});

Deno.test("end-to-end cipher: reports get a new key in time, and by number", () => {
  const [one, other] = pair();
  for (let epoch = 0; epoch < 4; epoch++) {
    const report = one.sealReport(Uint8Array.of(epoch));
    assert.equal(packetNumber(report), epoch * REKEY_FRAMES);
    assert.deepEqual(other.openReport(report), Uint8Array.of(epoch));
    one.rekeyReports();
  }
  dispose(one, other);
});

Deno.test("end-to-end cipher: data, marks, reports and the verdict are never taken for each other", () => {
  const [one, other] = pair();
  const verdict = one.sealVerdict(Uint8Array.of(9));
  const sealed = [seal(one, 0), seal(one, 1, PACKET.mark), one.sealReport(Uint8Array.of(1, 2, 3))];
  for (const packet of sealed) {
    for (const type of [PACKET.data, PACKET.mark, PACKET.report]) {
      if (packet[0] === type) continue;
      const disguised = packet.slice();
      disguised[0] = type;
      if (type === PACKET.report) assert.equal(other.openReport(disguised), undefined);
      else assert.equal(opened(other, disguised), undefined, `${packet[0]} as ${type}`);
    }
  }
  assert.deepEqual(opened(other, sealed[1] as Uint8Array), plainOf(1));
  assert.deepEqual(other.openVerdict(verdict), Uint8Array.of(9));
  assert.equal(one.openVerdict(verdict), undefined, "our own, sent back");
  dispose(one, other);
});

Deno.test("end-to-end cipher: a packet with any bit changed does not open", () => {
  const [one, other] = pair();
  const packets = [seal(one, 3), seal(one, 70), one.sealReport(plainOf(4))];
  fc.assert(
    fc.property(fc.nat(2), fc.nat(2 ** 16), fc.nat(7), (which, where, bit) => {
      const packet = (packets[which] as Uint8Array).slice();
      packet[where % packet.length]! ^= 1 << bit;
      // The id says which handshake it is of, and binds nothing: its keys are another's.
      if (where % packet.length >= 1 && where % packet.length < 7) return;
      if (packet[0] === PACKET.report) assert.equal(other.openReport(packet), undefined);
      else assert.equal(opened(other, packet), undefined);
    }),
    runs(2_000),
  );
  assert.deepEqual(opened(other, packets[0] as Uint8Array), plainOf(3));
  dispose(one, other);
});
