import assert from "node:assert/strict";
import fc from "fast-check";
import { PRIORITY, ProtocolError, toHex } from "../../../core/mod.ts";
import { HOPS_MAX } from "../../../modules/router/limits.ts";
import {
  bodyOf,
  echoTimes,
  headerBytes,
  isReverse,
  nodeAt,
  PACKET_KIND,
  pathOf,
  placeOf,
  readPacket,
  readRefusal,
  REFUSAL,
  stampEcho,
  streamOf,
  writeEcho,
  writeEchoReply,
  writeHeader,
  writePacket,
  writeRefusal,
} from "../../../modules/router/packet.ts";
import { CARRIER_PACKET_BYTES_MAX, ROUTE_CLASSES } from "../../../modules/shared/carrier.ts";
import { Dice, runs, SEED } from "../../support/fuzz.ts";

const STREAM = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
/** Key ids that differ in their last byte only, which is the worst for comparing. */
const KEYS = Array.from({ length: HOPS_MAX + 2 }, (_, i) => {
  const key = new Uint8Array(32).fill(7);
  key[31] = i;
  return key;
});
const NODES = KEYS.map(toHex);

const header = (hops: number, kind: number = PACKET_KIND.data) =>
  writeHeader({
    kind: kind as 0,
    class: "low",
    priority: PRIORITY.normal,
    stream: STREAM,
    path: NODES.slice(0, hops + 1),
  });

Deno.test("packet: what was written is read, and forwarding it changes nothing", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: HOPS_MAX }),
      fc.constantFrom(...ROUTE_CLASSES),
      fc.constantFrom(...Object.values(PRIORITY)),
      fc.uint8Array({ minLength: 8, maxLength: 8 }),
      fc.uint8Array({ maxLength: 200 }),
      (hops, routeClass, priority, stream, body) => {
        const path = NODES.slice(0, hops + 1);
        const fields = { kind: PACKET_KIND.data, class: routeClass, stream, path };
        const bytes = writePacket(writeHeader({ ...fields, priority: 0 }), body, priority);
        const copy = bytes.slice();
        const packet = readPacket(bytes);
        assert.deepEqual(pathOf(packet), path);
        assert.deepEqual(
          [packet.kind, packet.class, packet.priority, packet.hops, streamOf(packet)],
          [PACKET_KIND.data, routeClass, priority, hops, toHex(stream)],
        );
        assert.deepEqual(bodyOf(packet), body);
        for (const [place, key] of KEYS.entries()) {
          assert.equal(placeOf(packet, key), place <= hops ? place : -1);
        }
        assert.equal(nodeAt(packet, hops), path[hops]);
        assert.deepEqual(bytes, copy);
      },
    ),
    runs(500),
  );
});

Deno.test("packet: each rule is kept: what is wrong is named", () => {
  const good = writePacket(header(2), new Uint8Array(3), PRIORITY.control);
  const change = (at: number, value: number) => {
    const bytes = good.slice();
    bytes[at] = value;
    return bytes;
  };
  const loop = good.slice();
  loop.set(KEYS[0]!, headerBytes(2) - 32);
  const cases: [bytes: Uint8Array, text: RegExp][] = [
    [new Uint8Array(0), /it has only 0 bytes/],
    [good.subarray(0, 12), /it has only 12 bytes/],
    [change(0, 2), /its version is 2, we speak 1/],
    [change(1, 4), /its kind is 4/],
    [change(2, 2), /its class is 2/],
    [change(3, 3), /its priority is 3/],
    [change(4, 0), /its path has -1 hops/],
    [change(4, 1), /its path has 0 hops/],
    [change(4, HOPS_MAX + 2), /its path has 17 hops/],
    [change(4, 4), /its path of 3 hops is cut/],
    [loop, /its path has a loop/],
    [
      writePacket(header(1), new Uint8Array(CARRIER_PACKET_BYTES_MAX + 1), 0),
      /it carries 61441 bytes/,
    ],
    [writePacket(header(1, PACKET_KIND.refused), new Uint8Array(32), 0), /refusal has 32 bytes/],
    [writePacket(header(1, PACKET_KIND.refused), new Uint8Array(234), 0), /refusal has 234/],
    [writePacket(header(2, PACKET_KIND.echo), new Uint8Array(31), 0), /stamps have 31 bytes/],
    [writePacket(header(2, PACKET_KIND.echoReply), new Uint8Array(33), 0), /stamps have 33/],
  ];
  for (const [bytes, text] of cases) {
    assert.throws(() => readPacket(bytes), (error) => {
      assert.ok(error instanceof ProtocolError);
      assert.match(error.message, text);
      return true;
    });
  }
  assert.throws(() => header(HOPS_MAX + 1) && readPacket(header(HOPS_MAX + 1)), /17 hops/);
});

Deno.test("packet: the largest one fits a frame of a link with room for the part's header", () => {
  const largest = writePacket(header(HOPS_MAX), new Uint8Array(CARRIER_PACKET_BYTES_MAX), 0);
  assert.ok(readPacket(largest).hops === HOPS_MAX);
  assert.ok(largest.length <= 65_535 - 16 - 8 - 5 - "router.forward".length);
});

Deno.test("packet: a mutant is read as what it says or refused, never anything else", () => {
  const dice = new Dice(SEED);
  const samples = [
    writePacket(header(3), dice.bytes(40), PRIORITY.bulk),
    writeEcho({ class: "high", stream: STREAM, path: NODES.slice(0, 5) }),
    writeRefusal(readPacket(writePacket(header(4), dice.bytes(9), 0)), 2, {
      why: REFUSAL.busy,
      hop: NODES[3]!,
      text: "full",
    }),
  ];
  const { numRuns } = runs(4_000);
  let refused = 0;
  for (let i = 0; i < numRuns; i++) {
    let bytes = dice.pick(samples).slice();
    for (let n = 1 + dice.below(4); n > 0; n--) {
      const what = dice.below(3);
      if (what === 0) bytes[dice.below(bytes.length)] = dice.below(256);
      else if (what === 1) bytes = bytes.slice(0, dice.below(bytes.length + 1));
      else bytes = new Uint8Array([...bytes, ...dice.bytes(dice.below(40))]);
      if (bytes.length === 0) break;
    }
    try {
      const packet = readPacket(bytes);
      const path = pathOf(packet);
      assert.equal(new Set(path).size, packet.hops + 1);
      if (packet.kind === PACKET_KIND.refused) readRefusal(packet);
      if (packet.kind === PACKET_KIND.echoReply) echoTimes(packet);
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String(error));
      refused++;
    }
  }
  assert.ok(refused > 0 && refused < numRuns);
});

Deno.test("packet: a refusal goes the way back and says who could not take which hop", () => {
  const packet = readPacket(writePacket(header(4), new Uint8Array(5), PRIORITY.bulk));
  const long = "é".repeat(300);
  const refusal = readPacket(writeRefusal(packet, 2, {
    why: REFUSAL.unreachable,
    hop: NODES[3]!,
    text: long,
  }));
  assert.deepEqual(pathOf(refusal), [NODES[2], NODES[1], NODES[0]]);
  assert.deepEqual([refusal.kind, refusal.priority], [PACKET_KIND.refused, PRIORITY.control]);
  assert.equal(streamOf(refusal), streamOf(packet));
  assert.deepEqual(readRefusal(refusal), {
    by: NODES[2],
    why: REFUSAL.unreachable,
    hop: NODES[3],
    text: "é".repeat(100),
  });
});

Deno.test("packet: stamps of an echo are differences of each node's own clock", () => {
  const path = NODES.slice(0, 4);
  const echo = readPacket(writeEcho({ class: "low", stream: STREAM, path }));
  // Clocks of n1 and n2 are far apart; the way from n1 to the target and back takes 500, from n2 300.
  stampEcho(echo, 1, 2 ** 40 + 0.9);
  stampEcho(echo, 2, 77);
  stampEcho(echo, 3, 5);
  const reply = readPacket(writeEchoReply(echo));
  assert.deepEqual(pathOf(reply), path.toReversed());
  stampEcho(reply, 1, 377);
  stampEcho(reply, 2, 2 ** 40 + 500);
  assert.deepEqual(echoTimes(reply), [500, 300]);
});

Deno.test("packet: a node that stamps nothing or nonsense has no time", () => {
  const echo = readPacket(writeEcho({ class: "low", stream: STREAM, path: NODES.slice(0, 4) }));
  stampEcho(echo, 2, 500);
  const reply = readPacket(writeEchoReply(echo));
  stampEcho(reply, 1, 400);
  assert.deepEqual(echoTimes(reply), [NaN, NaN]);
});

Deno.test("packet: whether it came by the reverse of a path", () => {
  const back = writeHeader({
    kind: PACKET_KIND.data,
    class: "low",
    priority: 0,
    stream: STREAM,
    path: NODES.slice(0, 4).reverse(),
  });
  assert.ok(isReverse(readPacket(header(3)), back));
  assert.ok(!isReverse(readPacket(header(2)), back));
  assert.ok(!isReverse(readPacket(header(3)), header(3)));
});
