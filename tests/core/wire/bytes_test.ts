import assert from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError } from "../../../core/errors.ts";
import {
  ByteReader,
  ByteWriter,
  compareBytes,
  concatBytes,
  equalBytes,
  fromHex,
  Scratch,
  toHex,
} from "../../../core/wire/bytes.ts";

function reader(...bytes: number[]): ByteReader {
  return new ByteReader(new Uint8Array(bytes), "Thing");
}

function protocolError(message: string): ProtocolError {
  return new ProtocolError(message);
}

Deno.test("bytes: integers are big-endian", () => {
  const bytes = new ByteWriter("thing").u8(1, "a").u16(0x0203, "b").u32(0x04050607, "c")
    .u64(0x08090a0b0c0d0e0fn, "d").finish();
  assert.deepEqual([...bytes], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  const back = new ByteReader(bytes, "Thing");
  assert.deepEqual([back.u8("a"), back.u16("b"), back.u32("c"), back.u64("d")], [
    1,
    0x0203,
    0x04050607,
    0x08090a0b0c0d0e0fn,
  ]);
  back.end();
});

Deno.test("bytes: a reader works on a view inside a larger buffer", () => {
  const whole = new Uint8Array([9, 9, 1, 2, 9]);
  const inner = new ByteReader(whole.subarray(2, 4), "Thing");
  assert.equal(inner.u16("a"), 0x0102);
  inner.end();
});

Deno.test("bytes: each length is checked before it is used, and the error says what and where", () => {
  assert.throws(
    () => reader(1).u16("count"),
    protocolError("Thing is malformed at byte 0 (count): 2 bytes wanted, 1 left"),
  );
  assert.throws(
    () => reader(0xff, 0xff, 1).lp("name"),
    protocolError("Thing is malformed at byte 2 (name): 65535 bytes wanted, 1 left"),
  );
  assert.throws(
    () => reader(3, 1, 2).list("groups", (r) => r.u8("group")),
    protocolError("Thing is malformed at byte 3 (group): 1 bytes wanted, 0 left"),
  );
  assert.throws(
    () => reader(1, 2).end(),
    protocolError("Thing is malformed at byte 0 (end): 2 bytes too many"),
  );
});

Deno.test("bytes: numbers that are not exact are refused", () => {
  assert.throws(
    () => reader(0, 0x20, 0, 0, 0, 0, 0, 0).u64Number("time"),
    protocolError("Thing is malformed at byte 0 (time): number 9007199254740992 is too large"),
  );
  assert.equal(
    reader(0, 0x1f, 255, 255, 255, 255, 255, 255).u64Number("time"),
    Number.MAX_SAFE_INTEGER,
  );
});

Deno.test("bytes: text must be UTF-8, and a byte order mark is part of it", () => {
  assert.throws(
    () => reader(0, 2, 0xc0, 0x80).lpText("name"),
    protocolError("Thing is malformed at byte 0 (name): text is not UTF-8"),
  );
  assert.equal(reader(0, 3, 0xef, 0xbb, 0xbf).lpText("name"), "\ufeff");
});

Deno.test("bytes: expected bytes must be there", () => {
  const magic = new TextEncoder().encode("ab");
  reader(0x61, 0x62).expect(magic, "magic");
  assert.throws(
    () => reader(0x61, 0x63).expect(magic, "magic"),
    protocolError("Thing is malformed at byte 0 (magic): other bytes than expected"),
  );
});

Deno.test("bytes: a writer refuses what does not fit its field", () => {
  const writer = new ByteWriter("thing");
  assert.throws(
    () => writer.u8(256, "count"),
    protocolError("Cannot encode thing: count 256 does not fit"),
  );
  assert.throws(
    () => writer.u16(-1, "count"),
    protocolError("Cannot encode thing: count -1 does not fit"),
  );
  assert.throws(
    () => writer.u64(1.5, "time"),
    protocolError("Cannot encode thing: time 1.5 does not fit"),
  );
  assert.throws(
    () => writer.u64(1n << 64n, "time"),
    protocolError("Cannot encode thing: time 18446744073709551616 does not fit"),
  );
  assert.throws(
    () => writer.lp(new Uint8Array(65_536), "name"),
    protocolError("Cannot encode thing: length of name 65536 does not fit"),
  );
  assert.throws(
    () => writer.fixed(new Uint8Array(3), 4, "key"),
    protocolError("Cannot encode thing: key has 3 bytes instead of 4"),
  );
  assert.equal(writer.length, 0);
});

Deno.test("bytes: what was written is read back, whatever the lengths", () => {
  const things = fc.record({
    count: fc.integer({ min: 0, max: 0xffff_ffff }),
    time: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    raw: fc.uint8Array({ maxLength: 2_000 }),
    texts: fc.array(fc.string({ unit: "grapheme", maxLength: 40 }), { maxLength: 255 }),
    many: fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 600 }),
  });
  fc.assert(
    fc.property(things, ({ count, time, raw, texts, many }) => {
      const bytes = new ByteWriter("thing", 1).u32(count, "count").u64(time, "time").lp(raw, "raw")
        .list(texts, "texts", (out, text) => out.lp(text, "text"))
        .list16(many, "many", (out, byte) => out.u8(byte, "byte")).finish();
      const back = new ByteReader(bytes, "Thing");
      assert.equal(back.u32("count"), count);
      assert.equal(back.u64("time"), time);
      assert.deepEqual([...back.lp("raw")], [...raw]);
      assert.deepEqual(back.list("texts", (r) => r.lpText("text")), texts);
      assert.deepEqual(back.list16("many", (r) => r.u8("byte")), many);
      back.end();
    }),
    { seed: 1, numRuns: 300 },
  );
});

Deno.test("bytes: finish gives a copy, and the writer may go on", () => {
  const writer = new ByteWriter("thing", 2).u8(1, "a");
  const first = writer.finish();
  const second = writer.u8(2, "b").bytes(new Uint8Array([3, 4])).finish();
  assert.deepEqual([...first], [1]);
  assert.deepEqual([...second], [1, 2, 3, 4]);
});

Deno.test("bytes: hexadecimal there and back, and nothing else is taken", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      assert.deepEqual([...fromHex(toHex(bytes))], [...bytes]);
      assert.deepEqual([...fromHex(toHex(bytes).toUpperCase())], [...bytes]);
    }),
    { seed: 2 },
  );
  assert.throws(() => fromHex("abc"), protocolError("Hexadecimal text has an odd length"));
  assert.throws(
    () => fromHex("00 1"),
    protocolError("Text is not hexadecimal at character 2"),
  );
});

Deno.test("bytes: equality, order and concatenation go by content", () => {
  const a = new Uint8Array([1, 2]);
  assert.ok(equalBytes(a, new Uint8Array([1, 2])));
  assert.ok(!equalBytes(a, new Uint8Array([1, 3])));
  assert.ok(!equalBytes(a, new Uint8Array([1, 2, 0])));
  assert.ok(compareBytes(a, new Uint8Array([1, 3])) < 0);
  assert.ok(compareBytes(a, new Uint8Array([1])) > 0);
  assert.equal(compareBytes(a, a.slice()), 0);
  assert.deepEqual([...concatBytes(a, new Uint8Array(0), a)], [1, 2, 1, 2]);
});

Deno.test("bytes: scratch memory joins, is used again, and large memory is not kept", () => {
  const scratch = new Scratch();
  const large = new Uint8Array(600_000).fill(7);
  const first = scratch.join(new Uint8Array([1, 2]), new Uint8Array(0), new Uint8Array([3]));
  assert.deepEqual([...first], [1, 2, 3]);
  const next = scratch.join(new Uint8Array([4]));
  assert.deepEqual([[...next], next.buffer === first.buffer], [[4], true]);
  const whole = scratch.join(new Uint8Array([5]), large);
  assert.deepEqual([whole.length, whole[0], whole.at(-1)], [600_001, 5, 7]);
  assert.equal(scratch.join(new Uint8Array([6])).buffer, first.buffer);
});
