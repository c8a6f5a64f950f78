import assert from "node:assert/strict";
import fc from "fast-check";
import { encode } from "@msgpack/msgpack";
import { ProtocolError } from "../../../core/errors.ts";
import { BODY_CONTAINERS_MAX, BODY_DEPTH_MAX, BODY_VALUES_MAX } from "../../../core/limits.ts";
import { checkShape, Codec, decodeValue, encodeCanonical } from "../../../core/wire/codec.ts";
import { Dice, runs, SEED } from "../../support/fuzz.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

function refuses(input: Uint8Array, text: string): void {
  assert.throws(() => decodeValue(input), (error: unknown) => {
    assert.ok(error instanceof ProtocolError, String(error));
    assert.ok(error.message.includes(text), error.message);
    return true;
  });
}

/** What a body may be; numbers that JavaScript holds exactly, no -0 (MessagePack makes it 0). */
const plain: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(null, true, false),
    fc.integer(),
    fc.double({ noNaN: true }).map((value) => value === 0 ? 0 : value),
    fc.string({ unit: "grapheme", maxLength: 80 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie("value"), { maxLength: 20 }),
    fc.dictionary(fc.string().filter((key) => key !== "__proto__"), tie("value"), { maxKeys: 20 }),
  ),
})).value;

Deno.test("codec: plain data comes back as it was", () => {
  const codec = new Codec();
  fc.assert(
    fc.property(plain, (value) => {
      const back = codec.decode(codec.encode(value).slice());
      assert.deepEqual(normal(back), normal(value));
    }),
    runs(2_000),
  );
});

Deno.test("codec: binary values outlive the buffer they came in, which the next frame overwrites", () => {
  const buffer = encode({ steps: bytes(1, 2, 3), more: [bytes(4)] }).slice();
  const value = new Codec().decode(buffer) as { steps: Uint8Array; more: [Uint8Array] };
  buffer.fill(0xee);
  assert.deepEqual(value, { steps: bytes(1, 2, 3), more: [bytes(4)] });
});

Deno.test("codec: what was encoded is not touched by what is encoded next", () => {
  const codec = new Codec();
  for (const size of [10, 8_000, 300_000]) {
    const items = Array.from({ length: 4 }, (_, place) => [1, place, [1, new Uint8Array(size)]]);
    const first = codec.encode({ items });
    const copy = first.slice();
    codec.encode(new Uint8Array(2 * size).fill(0xff));
    assert.deepEqual(first, copy, `${size} bytes`);
    assert.deepEqual(codec.decode(first), { items });
  }
});

Deno.test("codec: bytes that are owned are not copied", () => {
  const owned = encode(bytes(1, 2, 3)).slice();
  const value = new Codec().decode(owned, { owned: true }) as Uint8Array;
  assert.equal(value.buffer, owned.buffer);
});

Deno.test("codec: what the other end would refuse is refused at the sender", () => {
  const codec = new Codec();
  const circular: unknown[] = [];
  circular.push(circular);
  const bad: [unknown, string][] = [
    [new Date(0), "dates, maps and sets are not plain data"],
    [{ at: [new Date(0)] }, "dates, maps and sets are not plain data"],
    [new Map(), "dates, maps and sets are not plain data"],
    [new Set([1]), "dates, maps and sets are not plain data"],
    [JSON.parse('{"__proto__": 1}'), 'a key cannot be "__proto__"'],
    [{ n: 1n }, "Unrecognized object"],
    [() => 1, "Unrecognized object"],
    [circular, "Too deep objects"],
  ];
  for (const [value, text] of bad) {
    for (const run of [() => codec.encode(value), () => encodeCanonical(value)]) {
      assert.throws(run, (error: unknown) => {
        assert.ok(error instanceof ProtocolError, String(error));
        assert.ok(error.message.includes(text), error.message);
        return true;
      });
    }
  }
  assert.deepEqual(codec.decode(codec.encode([1, "two"]).slice()), [1, "two"]);
});

Deno.test("codec: whatever it encodes it also takes, up to the same depth", () => {
  const codec = new Codec();
  let value: unknown = [];
  let deepest = 1;
  for (; deepest < 100; deepest++) {
    const next = [value];
    try {
      codec.encode(next);
    } catch {
      break;
    }
    value = next;
  }
  assert.equal(deepest, BODY_DEPTH_MAX);
  assert.deepEqual(codec.decode(codec.encode(value).slice()), value);
});

Deno.test("codec: nesting deeper than the limit is refused before anything is decoded", () => {
  for (const container of [0x91, 0x81]) {
    const deep = new Uint8Array(200_000).fill(container);
    refuses(deep, `Body is nested deeper than ${BODY_DEPTH_MAX} levels`);
  }
});

Deno.test("codec: a count that lies costs nothing", () => {
  refuses(bytes(0xdd, 0xff, 0xff, 0xff, 0xff), "Body promises 4294967295 entries in 0 bytes");
  refuses(bytes(0xdf, 0xff, 0xff, 0xff, 0xff, 1), "Body promises 8589934590 entries in 1 bytes");
  refuses(bytes(0xdc, 0x00, 0x03, 1, 2), "Body promises 3 entries in 2 bytes");
  refuses(bytes(0xc6, 0xff, 0xff, 0xff, 0xff), "Body is cut off after 5 bytes");
  refuses(bytes(0xdb, 0x00, 0x00, 0x00, 0x02, 0x41), "Body is cut off after 6 bytes");
});

Deno.test("codec: a byte that stands for a whole object is bounded in number, at both ends", () => {
  const maps = new Uint8Array(5 + BODY_CONTAINERS_MAX).fill(0x80);
  maps.set([0xdd, ...u32(BODY_CONTAINERS_MAX)]);
  refuses(maps, `Body has more than ${BODY_CONTAINERS_MAX} maps and arrays`);
  const nils = new Uint8Array(5 + BODY_VALUES_MAX).fill(0xc0);
  nils.set([0xdd, ...u32(BODY_VALUES_MAX)]);
  refuses(nils, `Body has more than ${BODY_VALUES_MAX} values`);
  const codec = new Codec();
  assert.throws(() => codec.encode(Array(BODY_CONTAINERS_MAX).fill([])), { name: "ProtocolError" });
  const most = Array(BODY_CONTAINERS_MAX - 1).fill([]);
  assert.equal((codec.decode(codec.encode(most).slice()) as unknown[]).length, most.length);
});

Deno.test("codec: extension types, and so dates, are refused", () => {
  for (const type of [0xc1, 0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8]) {
    const body = new Uint8Array(40);
    body[0] = type;
    refuses(body, `Body has a type that is not allowed: 0x${type.toString(16)}`);
  }
});

Deno.test("codec: no __proto__ comes out of a map, and Object.prototype stays as it is", () => {
  const key = [0xa9, ...new TextEncoder().encode("__proto__")];
  refuses(bytes(0x81, ...key, 0x81, 0xa1, 0x78, 1), "The key __proto__ is not allowed");
  refuses(bytes(0x81, 0xa1, 0x61, 0x81, ...key, 1), "The key __proto__ is not allowed");
  assert.equal(({} as Record<string, unknown>).x, undefined);
  const harmless = decodeValue(encode({ constructor: 1, toString: 2 })) as Record<string, unknown>;
  assert.deepEqual(Object.entries(harmless), [["constructor", 1], ["toString", 2]]);
});

Deno.test("codec: keys that are no text, trailing bytes and an empty body are refused", () => {
  refuses(bytes(0x81, 0x91, 0x01, 0x01), "Cannot decode a body");
  refuses(bytes(0x01, 0x02), "Body has 1 bytes after its end");
  refuses(bytes(), "Body is cut off after 0 bytes");
});

Deno.test("codec: random, truncated and flipped bytes give a value or a ProtocolError", () => {
  const dice = new Dice(SEED);
  const codec = new Codec();
  const samples = [
    encode({ verb: "exec.run", args: { argv: ["a", "b"], env: { A: "1" } }, bin: dice.bytes(40) }),
    encode([[[[[1, 2.5, -3, null, "x".repeat(300)]]]], dice.bytes(300)]),
    encode({ a: { b: { c: [true, false, { d: "é" }] } } }),
  ];
  let refused = 0;
  const { numRuns } = runs(30_000);
  for (let run = 0; run < numRuns; run++) {
    const input = mutant(dice, samples);
    try {
      codec.decode(input);
    } catch (error) {
      assert.ok(error instanceof ProtocolError, `${error} of [${input}]`);
      refused++;
    }
  }
  assert.ok(refused > numRuns / 4 && refused < numRuns, `${refused} of ${numRuns} were refused`);
  assert.deepEqual(codec.decode(samples[2] as Uint8Array), {
    a: { b: { c: [true, false, { d: "é" }] } },
  });
});

Deno.test("codec: shapes that pass are decoded, whatever the bytes of their texts", () => {
  const dice = new Dice(SEED + 1);
  for (let run = 0; run < runs(5_000).numRuns; run++) {
    const input = dice.bytes(1 + dice.below(12));
    let shaped = true;
    try {
      checkShape(input);
    } catch {
      shaped = false;
    }
    try {
      decodeValue(input);
      assert.ok(shaped, `[${input}] was decoded and has no shape`);
    } catch (error) {
      assert.ok(error instanceof ProtocolError);
    }
  }
});

Deno.test("codec: canonical bytes do not depend on the order of keys", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.integer(), { maxKeys: 10 }), (map) => {
      const entries = Object.entries(map).filter(([key]) => key !== "__proto__");
      const there = Object.fromEntries(entries);
      const back = Object.fromEntries(entries.reverse());
      assert.deepEqual(encodeCanonical(there), encodeCanonical(back));
    }),
    runs(500),
  );
});

function mutant(dice: Dice, samples: readonly Uint8Array[]): Uint8Array {
  const sample = dice.pick(samples).slice();
  switch (dice.below(4)) {
    case 0:
      return dice.bytes(dice.below(60));
    case 1:
      return sample.subarray(0, dice.below(sample.length));
    case 2:
      for (let i = dice.below(4); i >= 0; i--) {
        sample[dice.below(sample.length)]! ^= 1 << dice.below(8);
      }
      return sample;
    default:
      sample[dice.below(sample.length)] = dice.pick([
        0xc1,
        0xc6,
        0xc9,
        0xdb,
        0xdd,
        0xdf,
        0xff,
        0x91,
      ]);
      return sample;
  }
}

/** Buffers and prototypes aside, which deepEqual would tell apart. */
function normal(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, normal(inner)]));
}

function u32(value: number): number[] {
  return [value >>> 24, value >>> 16 & 0xff, value >>> 8 & 0xff, value & 0xff];
}

Deno.test("codec: what is canonical is so however large it is", () => {
  const part = new Uint8Array(20_000).map((_, index) => index);
  const value = { b: [part, "text"], a: part.subarray(3, 9) };
  const expected = encode(value, { sortKeys: true });
  assert.deepEqual(encodeCanonical(value), expected);
  assert.deepEqual(encodeCanonical({ a: value.a, b: value.b }), expected);
});

Deno.test("codec: binary values are views of bytes that are owned, and else of a copy", () => {
  const input = encodeCanonical([Uint8Array.of(1, 2, 3)]);
  const [owned] = decodeValue(input, { owned: true }) as [Uint8Array];
  const [copied] = decodeValue(input) as [Uint8Array];
  input.fill(9);
  assert.deepEqual([[...owned], [...copied]], [[9, 9, 9], [1, 2, 3]]);
});
