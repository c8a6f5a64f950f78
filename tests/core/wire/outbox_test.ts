import assert from "node:assert/strict";
import {
  QUEUED_MESSAGE_BYTES,
  REASSEMBLY_BYTES_MAX,
  UNFINISHED_MESSAGE_BYTES,
} from "../../../core/limits.ts";
import { KIND, type Kind, PRIORITY, type Priority } from "../../../core/wire/message.ts";
import { Outbox } from "../../../core/wire/outbox.ts";
import type { Outgoing } from "../../../core/wire/part.ts";
import { Dice, runs, SEED } from "../../support/fuzz.ts";
import { until } from "../../support/wait.ts";

const MIB = 1024 * 1024;

function outgoing(stream: number, length: number, options: {
  readonly kind?: Kind;
  readonly priority?: Priority;
} = {}): Outgoing {
  const { kind = KIND.item, priority = PRIORITY.normal } = options;
  const body = new Uint8Array(length);
  return {
    kind,
    priority,
    stream,
    verb: "",
    deadlineMs: 0,
    signed: false,
    raw: true,
    body,
    sent: 0,
  };
}

/** Takes one part of at most `most` bytes; says of which message. */
function takePart(outbox: Outbox, most: number): Outgoing | undefined {
  const next = outbox.peek();
  if (next === undefined) return undefined;
  const part = Math.min(most, next.body.length - next.sent);
  next.sent += part;
  outbox.advance(next, part);
  return next;
}

function takeAll(outbox: Outbox, most: number): number[] {
  const streams: number[] = [];
  for (let next = takePart(outbox, most); next !== undefined; next = takePart(outbox, most)) {
    streams.push(next.stream);
  }
  return streams;
}

Deno.test("outbox: streams of one priority take turns, a part at a time", () => {
  const outbox = new Outbox();
  outbox.push(outgoing(1, 300));
  outbox.push(outgoing(3, 200));
  outbox.push(outgoing(5, 100));
  outbox.push(outgoing(3, 50));
  assert.deepEqual(takeAll(outbox, 100), [1, 3, 5, 1, 3, 1, 3]);
  assert.equal(outbox.empty, true);
});

Deno.test("outbox: what has priority goes first, also in the middle of a long message", () => {
  const outbox = new Outbox();
  outbox.push(outgoing(1, 300, { priority: PRIORITY.bulk }));
  outbox.push(outgoing(3, 100));
  assert.equal(takePart(outbox, 100)?.stream, 3);
  assert.equal(takePart(outbox, 100)?.stream, 1);
  outbox.push(outgoing(5, 0, { priority: PRIORITY.control }));
  assert.deepEqual(takeAll(outbox, 100), [5, 1, 1]);
});

Deno.test("outbox: what waits is counted with its cost, and nothing is left when it is sent", () => {
  const outbox = new Outbox();
  outbox.push(outgoing(1, 100));
  outbox.push(outgoing(1, 0));
  assert.equal(outbox.bytes, 100 + 2 * QUEUED_MESSAGE_BYTES);
  takePart(outbox, 60);
  assert.equal(outbox.bytes, 40 + 2 * QUEUED_MESSAGE_BYTES);
  takeAll(outbox, 60);
  assert.equal(outbox.bytes, 0);
});

Deno.test("outbox: a cancel drops the items behind it that are not begun, and only those", () => {
  const outbox = new Outbox();
  outbox.push(outgoing(1, 200));
  outbox.push(outgoing(1, 100));
  outbox.push(outgoing(1, 0, { kind: KIND.credit }));
  outbox.push(outgoing(3, 100));
  takePart(outbox, 100);
  outbox.push(outgoing(1, 0, { kind: KIND.cancel }));
  const kinds: string[] = [];
  for (let next = takePart(outbox, 500); next !== undefined; next = takePart(outbox, 500)) {
    kinds.push(`${next.stream}:${next.kind}`);
  }
  assert.deepEqual(kinds, [
    `3:${KIND.item}`,
    `1:${KIND.item}`,
    `1:${KIND.credit}`,
    `1:${KIND.cancel}`,
  ]);
  assert.deepEqual([outbox.bytes, outbox.empty], [0, true]);
});

Deno.test("outbox: a stream that never runs empty keeps nothing of what it sent", async () => {
  // It kept every body for as long as one more waited: a long upload was held in memory whole.
  const outbox = new Outbox();
  const sent: WeakRef<Outgoing>[] = [];
  outbox.push(outgoing(1, 10));
  for (let i = 0; i < 50; i++) {
    outbox.push(outgoing(1, 10));
    sent.push(new WeakRef(takePart(outbox, 10) as Outgoing));
  }
  await until(() => {
    // Makes the collector work.
    new Uint8Array(16 * MIB);
    return sent.every((each) => each.deref() === undefined);
  }, "all that was sent is forgotten");
  assert.equal(outbox.bytes, 10 + QUEUED_MESSAGE_BYTES);
});

Deno.test("outbox: no more is begun than the other end can join", () => {
  // Answers of 4 MiB on five streams at once made the other end cut the conduit.
  const outbox = new Outbox();
  for (let stream = 1; stream <= 8; stream++) outbox.push(outgoing(stream, 4 * MIB));
  outbox.push(outgoing(9, 1_000));
  const begun = new Set<Outgoing>();
  let most = 0;
  const order: number[] = [];
  for (;;) {
    const next = takePart(outbox, 64 * 1024);
    if (next === undefined) break;
    if (next.sent === next.body.length) {
      begun.delete(next);
      order.push(next.stream);
    } else begun.add(next);
    const joined = [...begun].reduce((sum, { body }) => sum + body.length, 0);
    most = Math.max(most, joined + begun.size * UNFINISHED_MESSAGE_BYTES);
  }
  assert.ok(most <= REASSEMBLY_BYTES_MAX, `${most} bytes were begun`);
  assert.equal(order[0], 9);
  assert.deepEqual([...order].sort(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

Deno.test("outbox: each stream stays in order, whatever is pushed and taken", () => {
  const dice = new Dice(SEED);
  for (let run = 0; run < runs(200).numRuns; run++) {
    const outbox = new Outbox();
    const pushed = new Map<string, Outgoing[]>();
    let waiting = 0;
    for (let step = 0; step < 60 || waiting > 0; step++) {
      if (step < 60 && dice.below(2) === 0) {
        const priority = dice.pick([PRIORITY.bulk, PRIORITY.normal, PRIORITY.control]);
        const message = outgoing(dice.below(5), dice.below(400), { priority });
        const key = `${message.stream} ${priority}`;
        pushed.set(key, [...pushed.get(key) ?? [], message]);
        outbox.push(message);
        waiting++;
      } else {
        const next = takePart(outbox, 1 + dice.below(200));
        assert.equal(next === undefined, waiting === 0);
        if (next === undefined || next.sent < next.body.length) continue;
        assert.equal(pushed.get(`${next.stream} ${next.priority}`)?.shift(), next);
        waiting--;
      }
    }
    assert.deepEqual([outbox.bytes, outbox.empty], [0, true]);
  }
});
