import assert from "node:assert/strict";
import fc from "fast-check";
import { decode, encode } from "dns-packet";
import { DATAGRAM_BYTES_MAX } from "../../../core/limits.ts";
import { decodeWord, encodeCall, encodeWord, type Word } from "../../../modules/discovery/word.ts";
import { runs } from "../../support/fuzz.ts";

const TAG = "0123456789abcdef";
const WORD: Word = { keyId: "0f".repeat(32), port: 7_117, asks: true };

const words = fc.record({
  keyId: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => bytes.toHex()),
  port: fc.integer({ min: 1, max: 65_535 }),
  asks: fc.boolean(),
});

Deno.test("word: reads back, in one small datagram", () => {
  fc.assert(fc.property(words, (made) => {
    const word = { ...made };
    const bytes = encodeWord(TAG, word);
    assert.ok(bytes.length < 512, `${bytes.length} bytes`);
    assert.ok(bytes.length < DATAGRAM_BYTES_MAX);
    assert.deepEqual(decodeWord(TAG, bytes), word);
  }));
});

Deno.test("word: is a plain query that any DNS program can read, and gives no name away", () => {
  const packet = decode(Buffer.from(encodeWord(TAG, WORD)));
  assert.equal(packet.type, "query");
  const mesh = `_${TAG}._sub._minime._tcp.local`;
  assert.deepEqual(packet.questions, [{ name: mesh, type: "PTR", class: "IN" }]);
  const name = `${"0f".repeat(16)}._minime._tcp.local`;
  assert.deepEqual(
    packet.additionals.map((one: { type: string; name: string }) => [one.type, one.name]),
    [
      ["PTR", mesh],
      ["SRV", name],
      ["TXT", name],
    ],
  );
  const answer = decode(Buffer.from(encodeWord(TAG, { ...WORD, asks: false })));
  assert.deepEqual(answer.questions, []);
});

Deno.test("word: a call asks for the mesh, says nothing of who calls, and is no word", () => {
  const call = encodeCall(TAG);
  assert.deepEqual([call, decodeWord(TAG, call)], [encodeCall(TAG), undefined]);
  const { questions, additionals, answers } = decode(Buffer.from(call));
  const name = `_${TAG}._sub._minime._tcp.local`;
  assert.deepEqual(questions, [{ name, type: "PTR", class: "IN" }]);
  assert.deepEqual([additionals, answers], [[], []]);
  const others = [encodeCall("fedcba9876543210"), encodeWord(TAG, WORD), new Uint8Array()];
  for (const bytes of others) assert.notDeepEqual(bytes, call);
});

Deno.test("word: of another mesh, or of another program, is none", () => {
  assert.equal(decodeWord("fedcba9876543210", encodeWord(TAG, WORD)), undefined);
  const name = "printer._ipp._tcp.local";
  const others = [
    encode({ type: "query", questions: [{ type: "PTR", name: "_minime._tcp.local" }] }),
    encode({ type: "response", answers: [{ type: "PTR", name: "_ipp._tcp.local", data: name }] }),
    new Uint8Array(),
    new Uint8Array(12),
  ];
  for (const bytes of others) assert.equal(decodeWord(TAG, bytes), undefined);
});

Deno.test("word: one whose parts do not belong together is none", () => {
  const label = WORD.keyId.slice(0, 32);
  const mesh = `_${TAG}._sub._minime._tcp.local`;
  const name = `${label}._minime._tcp.local`;
  const build = (change: { port?: number; name?: string; text?: string[]; asks?: string }) =>
    encode({
      type: "query",
      id: 0,
      questions: [{ type: "PTR", name: change.asks ?? mesh }],
      additionals: [
        { type: "PTR", name: mesh, data: name },
        {
          type: "SRV",
          name: change.name ?? name,
          data: { port: change.port ?? 1, target: `${label}.local` },
        },
        { type: "TXT", name, data: change.text ?? [`id=${WORD.keyId}`] },
      ],
    });
  assert.deepEqual(decodeWord(TAG, build({})), { ...WORD, port: 1 });
  for (
    const change of [
      { port: 0 },
      { name: `${"1f".repeat(16)}._minime._tcp.local` },
      { text: [`id=${"1f".repeat(32)}`] },
      { text: [`id=${WORD.keyId.toUpperCase()}`] },
      { text: [`id=${WORD.keyId}`, "more"] },
      { text: [] },
      { asks: "_ipp._tcp.local" },
    ]
  ) assert.equal(decodeWord(TAG, build(change)), undefined, JSON.stringify(change));
});

Deno.test("word: no bytes do any harm", () => {
  const word = encodeWord(TAG, WORD);
  const changed = fc.array(fc.tuple(fc.nat(word.length - 1), fc.nat(255)), { maxLength: 8 })
    .map((changes) => {
      const bytes = word.slice();
      for (const [at, byte] of changes) bytes[at] = byte;
      return bytes;
    });
  const cut = fc.nat(word.length).map((length) => word.slice(0, length));
  // With a header that makes us look into it.
  const body = fc.uint8Array({ maxLength: DATAGRAM_BYTES_MAX - 12 })
    .map((bytes) => new Uint8Array([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 3, ...bytes]));
  fc.assert(
    fc.property(fc.oneof(changed, cut, body, fc.uint8Array({ maxLength: 64 })), (bytes) => {
      const read = decodeWord(TAG, bytes);
      if (read === undefined) return;
      assert.match(read.keyId, /^[0-9a-f]{64}$/);
      assert.ok(read.port >= 1 && read.port <= 65_535);
    }),
    runs(3_000),
  );
});
