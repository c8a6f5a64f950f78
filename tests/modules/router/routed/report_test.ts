// What a receiver tells a sender, as bytes.

import assert from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError } from "../../../../core/mod.ts";
import {
  decodeReport,
  encodeReport,
  type Range,
} from "../../../../modules/router/routed/report.ts";
import { WINDOW_BYTES_MAX } from "../../../../modules/router/routed/limits.ts";
import { runs } from "../../../support/fuzz.ts";

const ranges = fc.array(
  fc.tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 300 })),
  {
    maxLength: 64,
  },
).map((holes) => {
  let at = 0;
  return holes.map(([hole, length]): Range => {
    const from = at + hole;
    at = from + length;
    return { from, length };
  });
});

Deno.test("report: comes out as it went in", () => {
  const report = fc.record({
    asks: fc.boolean(),
    next: fc.nat({ max: 2 ** 50 }),
    room: fc.nat({ max: WINDOW_BYTES_MAX }),
    ranges,
  }, { noNullPrototype: true });
  fc.assert(
    fc.property(report, (one) => assert.deepEqual(decodeReport(encodeReport(one)), one)),
    runs(1_000),
  );
});

// One that claimed 4 GiB of room had as much of what a user sends kept for it.
Deno.test("report: there is never more room than a window", () => {
  const told = encodeReport({ asks: false, next: 0, room: 2 ** 32 - 1, ranges: [] });
  assert.equal(decodeReport(told).room, WINDOW_BYTES_MAX);
});

Deno.test("report: anything else is refused", () => {
  const good = encodeReport({
    asks: false,
    next: 7,
    room: 100,
    ranges: [{ from: 1, length: 2 }, { from: 5, length: 1 }],
  });
  const change = (at: number, value: number) => {
    const bytes = good.slice();
    bytes[at] = value;
    return bytes;
  };
  const bad: [Uint8Array, RegExp][] = [
    [good.subarray(1), /Report/],
    [good.subarray(0, -1), /Report/],
    [Uint8Array.of(...good, 0), /Report/],
    [change(0, 2), /flags.* are 2/],
    [change(13, 65), /ranges.* are 65/],
    [change(15, 0), /range.* is 2 from 0/],
    [change(17, 0), /range.* is 0 from 1/],
    [change(19, 3), /range.* is 1 from 3/],
  ];
  for (const [bytes, text] of bad) {
    assert.throws(() => decodeReport(bytes), (error: unknown) => {
      assert.ok(error instanceof ProtocolError, String(error));
      assert.match(error.message, text);
      return true;
    });
  }
});
