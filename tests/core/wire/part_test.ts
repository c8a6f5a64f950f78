import assert from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError } from "../../../core/errors.ts";
import { GOODBYE_BYTES_MAX, MESSAGE_BYTES_MAX } from "../../../core/limits.ts";
import { KIND, PRIORITY, WIRE_VERSION } from "../../../core/wire/message.ts";
import {
  GOODBYE,
  goodbyeText,
  isVerbText,
  type Outgoing,
  type Part,
  PART_HEADER_BYTES,
  PART_HEADER_BYTES_MAX,
  type PartKind,
  readPart,
  REKEY,
  writePart,
} from "../../../core/wire/part.ts";
import { Dice, runs, SEED } from "../../support/fuzz.ts";

const KINDS: readonly PartKind[] = [...Object.values(KIND), GOODBYE, REKEY];
const MORE = 4;
const NEXT = 8;

function outgoing(change: Partial<Outgoing> = {}): Outgoing {
  return {
    kind: KIND.request,
    priority: PRIORITY.normal,
    stream: 7,
    verb: "core.ping",
    deadlineMs: 1_500,
    signed: false,
    raw: true,
    body: new Uint8Array(0),
    sent: 0,
    ...change,
  };
}

/** Cuts a message into frames of at most `room` bytes. */
function cut(message: Outgoing, room: number): Uint8Array[] {
  const frames: Uint8Array[] = [];
  do {
    const out = new Uint8Array(room + 10).fill(0xaa);
    const length = writePart(message, out, 5, room);
    assert.ok(length <= room, `${length} bytes were written into ${room}`);
    assert.ok(out.subarray(5 + room).every((byte) => byte === 0xaa), "written over the room");
    frames.push(out.slice(5, 5 + length));
  } while (message.sent < message.body.length);
  return frames;
}

function refuses(frame: Uint8Array, text: string): void {
  assert.throws(() => readPart(frame), (error: unknown) => {
    assert.ok(error instanceof ProtocolError, String(error));
    assert.equal(error.message, text);
    return true;
  });
}

Deno.test("part: the header is as documented, byte for byte", () => {
  const [frame] = cut(
    outgoing({ stream: 0x01020304, signed: true, body: Uint8Array.of(9, 8) }),
    1_000,
  );
  const verb = [...new TextEncoder().encode("core.ping")];
  assert.deepEqual(
    [...frame as Uint8Array],
    [WIRE_VERSION, KIND.request, 3, 1, 1, 2, 3, 4, 0, 0, 5, 220, 9, ...verb, 9, 8],
  );
});

Deno.test("part: any message, cut anywhere, comes back whole", () => {
  const text = fc.string({ unit: fc.constantFrom(..."abcz019._-"), maxLength: 255 });
  fc.assert(
    fc.property(
      fc.record({
        kind: fc.constantFrom(...Object.values(KIND)),
        priority: fc.constantFrom(...Object.values(PRIORITY)),
        stream: fc.integer({ min: 0, max: 0xffff_ffff }),
        verb: text,
        deadlineMs: fc.integer({ min: 0, max: 0xffff_ffff }),
        signed: fc.boolean(),
        raw: fc.boolean(),
        body: fc.uint8Array({ maxLength: 3_000 }),
      }),
      fc.integer({ min: PART_HEADER_BYTES_MAX + 1, max: 1_000 }),
      (fields, room) => {
        const named = fields.kind === KIND.request || fields.kind === KIND.event;
        const parts = cut({ ...fields, sent: 0 }, room).map(readPart);
        const first = parts[0] as Part;
        assert.deepEqual(
          [first.kind, first.priority, first.stream, first.signed, first.raw, first.total],
          [
            fields.kind,
            fields.priority,
            fields.stream,
            fields.signed,
            fields.raw,
            fields.body.length,
          ],
        );
        assert.deepEqual(
          [first.verb, first.deadlineMs],
          named ? [fields.verb, fields.deadlineMs] : ["", 0],
        );
        assert.deepEqual(parts.map(({ more }) => more), parts.map((_, i) => i < parts.length - 1));
        assert.deepEqual(parts.map(({ next }) => next), parts.map((_, i) => i > 0));
        const body = parts.flatMap((part) => [...part.body]);
        assert.deepEqual(body, [...fields.body]);
      },
    ),
    runs(3_000),
  );
});

Deno.test("part: a deadline is rounded up and capped, never lost", () => {
  for (const [given, read] of [[0.2, 1], [0, 0], [1e12, 0xffff_ffff], [Infinity, 0xffff_ffff]]) {
    const [frame] = cut(outgoing({ deadlineMs: given as number }), 1_000);
    assert.equal(readPart(frame as Uint8Array).deadlineMs, read);
  }
});

Deno.test("part: a frame that is cut off at any byte of its header is refused", () => {
  const [frame] = cut(outgoing({ body: new Uint8Array(5_000) }), 500);
  const header = PART_HEADER_BYTES + 4 + 4 + 1 + "core.ping".length;
  for (let length = 0; length < header; length++) {
    refuses(
      (frame as Uint8Array).subarray(0, length),
      `Frame of ${length} bytes is too short for its header`,
    );
  }
  refuses((frame as Uint8Array).subarray(0, header), "Part of a message holds nothing of it");
});

Deno.test("part: what this version does not know is refused, and said", () => {
  const change = (at: number, value: number) => {
    const [frame] = cut(outgoing(), 500);
    (frame as Uint8Array)[at] = value;
    return frame as Uint8Array;
  };
  refuses(change(0, 2), "Frame has version 2, we speak 1");
  refuses(change(1, 8), "Frame has unknown kind 8");
  refuses(change(1, 254), "Frame has unknown kind 254");
  refuses(change(2, 16), "Frame has unknown flags 16");
  refuses(change(3, 3), "Frame has unknown priority 3");
});

Deno.test("part: a first part promises more than it has and no more than the limit", () => {
  const frame = (total: number, bodyBytes: number) => {
    const out = new Uint8Array(PART_HEADER_BYTES + 4 + bodyBytes);
    out.set([WIRE_VERSION, KIND.item, MORE, 0]);
    new DataView(out.buffer).setUint32(PART_HEADER_BYTES, total);
    return out;
  };
  assert.equal(readPart(frame(MESSAGE_BYTES_MAX, 1)).total, MESSAGE_BYTES_MAX);
  refuses(
    frame(MESSAGE_BYTES_MAX + 1, 1),
    `Message of ${MESSAGE_BYTES_MAX + 1} bytes is over the limit of ${MESSAGE_BYTES_MAX}`,
  );
  refuses(frame(0, 1), "Message of 0 bytes is cut after 1");
  refuses(frame(5, 5), "Message of 5 bytes is cut after 5");
});

Deno.test("part: goodbye and rekey cannot be cut, and a goodbye is short text", () => {
  for (const kind of [GOODBYE, REKEY]) {
    for (const flag of [MORE, NEXT]) {
      refuses(
        Uint8Array.of(WIRE_VERSION, kind, flag, 0, 0, 0, 0, 0, 1),
        `Frame of kind ${kind} is cut`,
      );
    }
  }
  assert.equal(goodbyeText(new TextEncoder().encode("so long, ü")), "so long, ü");
  assert.throws(() => goodbyeText(Uint8Array.of(0xc3)), { message: "Goodbye is not UTF-8" });
  assert.throws(() => goodbyeText(new Uint8Array(GOODBYE_BYTES_MAX + 1)), {
    message: `Goodbye has ${GOODBYE_BYTES_MAX + 1} bytes, ${GOODBYE_BYTES_MAX} is the most`,
  });
});

Deno.test("part: verbs that cannot travel as they are can be told from those that can", () => {
  assert.deepEqual(
    ["core.ping", "", "x".repeat(255), "x".repeat(256), "é.a", "core.pi\u0000ng"].map(isVerbText),
    [true, true, true, false, false, true],
  );
});

Deno.test("part: random and flipped frames give a part or a ProtocolError", () => {
  const dice = new Dice(SEED);
  const { numRuns } = runs(20_000);
  let taken = 0;
  for (let run = 0; run < numRuns; run++) {
    let frame: Uint8Array = dice.bytes(dice.below(40));
    if (dice.below(4) > 0) {
      const kind = dice.pick(KINDS);
      const room = PART_HEADER_BYTES_MAX + 1 + dice.below(100);
      const frames = cut(outgoing({ kind, body: dice.bytes(dice.below(300)) }), room);
      frame = dice.pick(frames);
      frame[dice.below(Math.min(frame.length, 24))]! ^= 1 << dice.below(8);
      if (dice.below(3) === 0) frame = frame.subarray(0, dice.below(frame.length));
    }
    try {
      const part = readPart(frame);
      assert.ok(part.body.length <= part.total || part.next, "more than promised");
      taken++;
    } catch (error) {
      assert.ok(error instanceof ProtocolError, `${error} of [${frame}]`);
    }
  }
  assert.ok(taken > numRuns / 20 && taken < numRuns, `${taken} of ${numRuns} were taken`);
});
