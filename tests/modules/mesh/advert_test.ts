import assert from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError, toHex } from "../../../core/mod.ts";
import {
  type Advert,
  ADVERT_DOMAIN,
  compareVersions,
  decodeAdvert,
  encodeAdvert,
} from "../../../modules/mesh/advert.ts";
import { advertOf, hostOf, keyIdOf, seededKeys } from "./adverts.ts";

const keys = await seededKeys("advert");
const node = keys.person({ name: "n1" });
const host = hostOf(keys, node);
const KEY_ID = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex);

const ANY_ADVERT: fc.Arbitrary<Advert> = fc.record({
  meshId: fc.constant(toHex(keys.meshId)),
  keyId: fc.constant(node.identity.keyId),
  incarnation: fc.integer({ min: 1, max: 2 ** 48 }),
  sequence: fc.integer({ min: 1, max: 2 ** 48 }),
  instance: fc.uint8Array({ minLength: 16, maxLength: 16 }).map(toHex),
  leaving: fc.boolean(),
  version: fc.stringMatching(/^[0-9A-Za-z.+-]{1,32}$/),
  segment: fc.stringMatching(/^[a-z0-9]{1,20}$/),
  endpoints: fc.array(
    fc.constantFrom("tcp:10.0.0.1:7117", "tcp:[fe80::1]:1", "tcp:host.example:65535"),
    { maxLength: 16 },
  ),
  links: fc.uniqueArray(KEY_ID, { maxLength: 40 }),
});

Deno.test("advert: what is encoded is decoded, links in rising order", () => {
  fc.assert(
    fc.property(ANY_ADVERT, (advert) => {
      const { bytes } = advertOf(keys, node, advert);
      const decoded = decodeAdvert(bytes);
      assert.deepEqual(decoded.advert, { ...advert, links: [...advert.links].sort() });
      const { signed, signature } = decoded;
      const publicKey = node.identity.signPublicKey;
      assert.ok(host.verify(ADVERT_DOMAIN, { publicKey, bytes: signed, signature }));
    }),
    { seed: 6, numRuns: 100 },
  );
});

Deno.test("advert: no changed byte is decoded with a good signature", () => {
  const { bytes } = advertOf(keys, node, { links: [keyIdOf("a"), keyIdOf("b")] });
  const publicKey = node.identity.signPublicKey;
  let decodedAll = 0;
  for (let at = 0; at < bytes.length; at++) {
    for (const bit of [0, 3, 7]) {
      const changed = bytes.slice();
      changed[at] = (changed[at] as number) ^ (1 << bit);
      try {
        const { signed, signature } = decodeAdvert(changed);
        decodedAll++;
        assert.ok(!host.verify(ADVERT_DOMAIN, { publicKey, bytes: signed, signature }));
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error));
      }
    }
  }
  assert.ok(decodedAll > 0);
});

Deno.test("advert: any other bytes are a ProtocolError and nothing else", () => {
  const { bytes } = advertOf(keys, node, { links: [keyIdOf("a")] });
  const cut = fc.nat(bytes.length - 1).map((length) => bytes.subarray(0, length));
  const longer = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((more) =>
    new Uint8Array([...bytes, ...more])
  );
  const magic = bytes.subarray(0, ADVERT_DOMAIN.length + 1);
  const random = fc.uint8Array({ maxLength: 300 }).map((rest) =>
    new Uint8Array([...magic, ...rest])
  );
  fc.assert(
    fc.property(fc.oneof(cut, longer, random), (other) => {
      assert.throws(() => decodeAdvert(other), ProtocolError);
    }),
    { seed: 7, numRuns: 3_000 },
  );
});

const BAD: readonly [what: string, change: Partial<Advert>, text: RegExp][] = [
  ["an incarnation of zero", { incarnation: 0 }, /\(incarnation\): 0 is not from 1 to/],
  ["a sequence beyond the limit", { sequence: 2 ** 48 + 1 }, /\(sequence\): \d+ is not from 1/],
  ["a version with spaces", { version: "1 2" }, /\(version\): is none/],
  ["an empty version", { version: "" }, /\(version\): is none/],
  ["a segment that is no name", { segment: "../x" }, /\(segment\): is no name/],
  ["a unix endpoint", { endpoints: ["unix:/run/x"] }, /\(endpoint\): is no tcp endpoint/],
  ["a terminal's escape", { endpoints: ["tcp:\u001b[2J:1"] }, /\(endpoint\): is no tcp endpoint/],
  ["a port that is none", { endpoints: ["tcp:h:65536"] }, /\(endpoint\): is no tcp endpoint/],
  ["a long endpoint", { endpoints: [`tcp:${"h".repeat(300)}:1`] }, /\(endpoint\): is too long/],
  ["17 endpoints", { endpoints: Array(17).fill("tcp:h:1") }, /\(endpoints\): more than 16/],
  ["a link twice", { links: [keyIdOf("a"), keyIdOf("a")] }, /\(links\): are not in rising order/],
  ["a link to itself", { links: [node.identity.keyId] }, /\(links\): name the node itself/],
  [
    "1025 links",
    { links: Array.from({ length: 1_025 }, (_, index) => keyIdOf(`${index}`)) },
    /\(links\): more than 1024/,
  ],
];
for (const [what, change, text] of BAD) {
  Deno.test(`advert: ${what} is refused`, () => {
    assert.throws(
      () => advertOf(keys, node, change),
      (error) => error instanceof ProtocolError && text.test(error.message),
    );
  });
}

Deno.test("advert: unknown flags are refused, they may change the meaning", () => {
  const { bytes } = advertOf(keys, node);
  const at = ADVERT_DOMAIN.length + 1 + 16 + 32 + 8 + 8 + 16;
  assert.equal(bytes[at], 0);
  const changed = bytes.slice();
  changed[at] = 2;
  assert.throws(() => decodeAdvert(changed), /\(flags\): unknown flags 2$/);
});

Deno.test("advert: a huge one is refused before it is read", () => {
  assert.throws(
    () => decodeAdvert(new Uint8Array(40 * 1024 + 1)),
    /40961 bytes, 40960 is the most/,
  );
});

Deno.test("advert: the incarnation counts before the sequence, the instance last", () => {
  const newer = { incarnation: 2, sequence: 1, instance: "b" };
  assert.ok(compareVersions(newer, { incarnation: 1, sequence: 99, instance: "c" }) > 0);
  assert.ok(compareVersions(newer, { incarnation: 2, sequence: 2, instance: "a" }) < 0);
  assert.ok(compareVersions(newer, { incarnation: 2, sequence: 1, instance: "a" }) > 0);
  assert.ok(compareVersions(newer, { incarnation: 2, sequence: 1, instance: "c" }) < 0);
  assert.equal(compareVersions(newer, { incarnation: 2, sequence: 1, instance: "b" }), 0);
});

Deno.test("advert: a signature of another length is not encoded", () => {
  const { advert } = advertOf(keys, node);
  assert.throws(() => encodeAdvert(advert, () => new Uint8Array(63)), /signature has 63 bytes/);
});
