/** What goes between sender and receiver, and what neither takes. */

import assert from "node:assert/strict";
import * as fc from "fast-check";
import { encodeCanonical, ProtocolError } from "../../../core/mod.ts";
import { NAME_BYTES_MAX } from "../../../modules/files/limits.ts";
import {
  fromRanges,
  Packer,
  readNeed,
  readPiece,
  type SentRecord,
  toRanges,
} from "../../../modules/files/records.ts";
import { runs } from "../../support/fuzz.ts";

const sum = fc.uint8Array({ minLength: 32, maxLength: 32 });
const name = fc.string({ minLength: 1, maxLength: 40, unit: "grapheme" })
  .filter((text) => !/[/\0]/.test(text) && text !== "." && text !== ".." && text.isWellFormed())
  .filter((text) => new TextEncoder().encode(text).length <= NAME_BYTES_MAX);
const mode = fc.nat(0o777);
const time = fc.integer({ min: -8e12, max: 8e12 });
const record: fc.Arbitrary<SentRecord> = fc.oneof(
  fc.tuple(fc.constant("in" as const), fc.constantFrom("", "a", "a/b")),
  fc.tuple(fc.constant("d" as const), name, mode, time),
  fc.tuple(fc.constant("d" as const), name, mode, time, fc.boolean()),
  fc.tuple(fc.constant("f" as const), name, fc.nat(), mode, time),
  fc.tuple(fc.constant("f" as const), name, fc.nat(), mode, time, sum),
  fc.tuple(fc.constant("l" as const), name, name),
  fc.tuple(fc.constant("ask" as const), fc.nat()),
  fc.tuple(fc.constant("go" as const), fc.nat(), fc.nat()),
  fc.uint8Array({ maxLength: 100 }),
  fc.tuple(fc.constant("sum" as const), sum),
  fc.constant(["skip"] as const),
  fc.constant(["end"] as const),
);

Deno.test("records: come out as they went in, and in order", () => {
  fc.assert(
    fc.property(fc.array(record, { minLength: 1 }), (records) => {
      const packer = new Packer();
      const pieces = records.flatMap((each) => packer.add(each) ?? []);
      const rest = packer.flush();
      const read = [...pieces, ...rest === undefined ? [] : [rest]].flatMap(readPiece);
      assert.deepEqual(read.map(plain), records.map(plain));
    }),
    runs(100),
  );
});

Deno.test("records: small ones share a piece, large ones do not wait", () => {
  const packer = new Packer();
  assert.equal(packer.add(["f", "a", 1, 0o644, 0]), undefined);
  assert.equal(packer.add(new Uint8Array(10)), undefined);
  const piece = packer.add(new Uint8Array(300_000)) as Uint8Array;
  assert.equal(readPiece(piece).length, 3);
  assert.equal(packer.flush(), undefined);
});

Deno.test("records: no name leads out of the copy, no mode is more than permissions", () => {
  const names = ["", ".", "..", "a/b", "/", "a\0", "x".repeat(256), "\ud800", 7, undefined];
  const bad: unknown[] = [
    ...names.map((each) => ["f", each, 1, 0o644, 0]),
    ...names.map((each) => ["l", each, "target"]),
    ...["/etc", "a/../b", "a//b", "a/", "./a", "..", "x/".repeat(3_000)].map((
      each,
    ) => ["in", each]),
    ["d", "", 0o755, 0],
    ["d", "../x", 0o755, 0],
    ["d", "a", 0o4755, 0],
    ["d", "a", 0o755, 0, 1],
    ["f", "a", -1, 0o644, 0],
    ["f", "a", 1.5, 0o644, 0],
    ["f", "a", 1, 0o6755, 0],
    ["f", "a", 1, 0o644, 1e300],
    ["f", "a", 1, 0o644, 0, new Uint8Array(31)],
    ["l", "a", ""],
    ["l", "a", "b\0"],
    ["go", -1, 0],
    ["sum", new Uint8Array(0)],
    ["unknown"],
    "end",
    null,
  ];
  for (const each of bad) {
    assert.throws(() => readPiece(encodeCanonical([each])), ProtocolError, JSON.stringify(each));
  }
  assert.throws(() => readPiece(encodeCanonical({ end: true })), ProtocolError);
  assert.throws(() => readPiece(new Uint8Array(2_000_000)), ProtocolError);
});

Deno.test("records: any bytes are records or a ProtocolError", () => {
  const check = (read: () => unknown) => {
    try {
      read();
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String(error));
    }
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => check(() => readPiece(bytes))),
    runs(300),
  );
  fc.assert(fc.property(fc.anything(), (value) => check(() => readNeed(value))), runs(300));
});

Deno.test("records: ranges hold what was in them, and nothing that does not rise", () => {
  const indices = fc.uniqueArray(fc.nat(500)).map((all) => all.sort((a, b) => a - b));
  fc.assert(
    fc.property(indices, (all) => {
      assert.deepEqual(fromRanges(toRanges(all), 501), all);
    }),
    runs(100),
  );
  for (const wrong of [[1, 0], [0, 5, 5, 6], [3, 4, 0, 1], [0, 10], [2]]) {
    assert.throws(() => fromRanges(wrong, 10), ProtocolError, wrong.join());
  }
});

function plain(record: SentRecord): unknown {
  const bytes = (value: unknown) => value instanceof Uint8Array ? [...value] : value;
  return record instanceof Uint8Array ? [...record] : record.map(bytes);
}
