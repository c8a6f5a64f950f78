import assert from "node:assert/strict";
import { Assembly } from "../../../modules/mailbox/assembly.ts";
import type { Put, Sender } from "../../../modules/mailbox/letter.ts";
import { LETTER_BYTES_MAX, PART_MS_MAX } from "../../../modules/mailbox/limits.ts";
import { Mailboxes } from "../../../modules/mailbox/mailboxes.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const ALICE: Sender = { kind: "user", name: "alice", keyId: "a1" };
const NOW = { ms: 0, signal: new AbortController().signal };
const KEPT = { kept: true, full: null };

function part(total: number, offset: number, length: number, change: Partial<Put> = {}): Put {
  const data = Uint8Array.from({ length }, (_, i) => offset + i);
  return { tag: "t", id: "0".repeat(32), total, offset, data, waitMs: 0, ...change };
}

/** The largest that others may send; two fill the mailbox. */
const LARGEST = ["bob", "carol"].map((sender) => ({ tag: "t", bytes: LETTER_BYTES_MAX, sender }));

function make() {
  const clock = new ManualClock();
  const mailboxes = new Mailboxes(clock);
  const assembly = new Assembly(clock, mailboxes);
  const put = (each: Put, from = ALICE) => assembly.put(each, from, NOW);
  const take = async () => {
    const letter = await mailboxes.take("t", undefined, NOW);
    return letter && letter.chunks.flatMap((chunk) => [...chunk]);
  };
  /** Whether all room is there again: two of the largest fit. */
  const isEmpty = async () => {
    for (const parcel of LARGEST) {
      if (await mailboxes.reserve(parcel, NOW) !== undefined) return false;
    }
    return true;
  };
  return { clock, mailboxes, assembly, put, take, isEmpty };
}

Deno.test("assembly: a letter of one part is there at once, an empty one too", async () => {
  const { put, take, clock } = make();
  assert.deepEqual(await put(part(3, 0, 3)), KEPT);
  assert.deepEqual(await put(part(0, 0, 0)), KEPT);
  assert.deepEqual(await take(), [0, 1, 2]);
  assert.deepEqual(await take(), []);
  assert.equal(clock.timers, 0);
});

Deno.test("assembly: a letter of several parts is there when the last one is", async () => {
  const { put, take, clock } = make();
  await put(part(5, 0, 2));
  assert.equal(await take(), undefined);
  await put(part(5, 2, 2));
  await put(part(1, 0, 1, { id: "1".repeat(32) }));
  assert.deepEqual(await take(), [0]);
  assert.deepEqual(await put(part(5, 4, 1)), KEPT);
  assert.deepEqual(await take(), [0, 1, 2, 3, 4]);
  assert.equal(clock.timers, 0);
});

Deno.test("assembly: what a sender sends is its own, whatever id another one takes", async () => {
  const { put, take } = make();
  const bob = { ...ALICE, name: "bob", keyId: "b1" };
  await put(part(2, 0, 1));
  await assert.rejects(put(part(2, 1, 1), bob), /Message is forgotten/);
  await put(part(2, 0, 1), bob);
  await put(part(2, 1, 1));
  assert.deepEqual(await take(), [0, 1]);
  assert.equal(await take(), undefined);
});

Deno.test("assembly: who does not go on in time loses what came, and its room is free", async () => {
  const { put, take, clock, isEmpty } = make();
  await put(part(3, 0, 1));
  await clock.advance(PART_MS_MAX - 1);
  await put(part(3, 1, 1));
  await clock.advance(PART_MS_MAX);
  await assert.rejects(put(part(3, 2, 1)), {
    name: "CallError",
    class: "failed",
    message: "Message is forgotten: its last part came too long ago",
  });
  assert.equal(await take(), undefined);
  assert.equal(clock.timers, 0);
  assert.ok(await isEmpty());
});

Deno.test("assembly: a part that does not fit ends its letter, and its room is free", async () => {
  const misfits = [
    part(5, 1, 1),
    part(5, 3, 1),
    part(6, 2, 1),
    part(5, 2, 4),
    part(5, 2, 0),
    part(5, 2, 1, { tag: "u" }),
  ];
  for (const misfit of misfits) {
    const { put, isEmpty, clock } = make();
    await put(part(5, 0, 2));
    await assert.rejects(put(misfit), { class: "invalid" });
    assert.equal(clock.timers, 0);
    assert.ok(await isEmpty(), JSON.stringify(misfit));
  }
  const { put, isEmpty } = make();
  await assert.rejects(put(part(1, 0, 2)), {
    message: "Part of 2 bytes at 0 does not fit a message of 1 bytes",
  });
  await assert.rejects(put(part(1, 0, 0)), { class: "invalid" });
  assert.ok(await isEmpty());
});

Deno.test("assembly: a letter that is begun twice is not kept twice", async () => {
  const { put, take } = make();
  await put(part(2, 0, 1));
  await assert.rejects(put(part(2, 0, 1)), { class: "invalid" });
  await put(part(2, 1, 1));
  assert.deepEqual(await take(), [0, 1]);
});

Deno.test("assembly: of two beginnings that wait for room one is refused, and keeps none", async () => {
  const { assembly, mailboxes, take, isEmpty } = make();
  for (const parcel of LARGEST) await mailboxes.reserve(parcel, NOW);
  const begin = () => assembly.put(part(2, 0, 1), ALICE, { ...NOW, ms: Infinity });
  const [first, second] = [begin(), begin()];
  const refused = assert.rejects(second, { class: "invalid" });
  for (const parcel of LARGEST) mailboxes.release(parcel);
  assert.deepEqual(await first, KEPT);
  await refused;
  await assembly.put(part(2, 1, 1), ALICE, NOW);
  assert.deepEqual(await take(), [0, 1]);
  assert.ok(await isEmpty());
});

Deno.test("assembly: without room nothing is kept, and the sender learns how full it is", async () => {
  const { put, mailboxes, clock } = make();
  for (const parcel of LARGEST) await mailboxes.reserve(parcel, NOW);
  const { kept, full } = await put(part(2, 0, 1));
  assert.deepEqual([kept, full?.of, full?.messages], [false, "tag", 2]);
  await assert.rejects(put(part(2, 1, 1)), /Message is forgotten/);
  assert.equal(clock.timers, 0);
});

Deno.test("assembly: disposed of, it leaves no timer and no room taken", async () => {
  const { put, assembly, clock, isEmpty } = make();
  await put(part(2, 0, 1));
  assembly[Symbol.dispose]();
  assert.equal(clock.timers, 0);
  assert.ok(await isEmpty());
});
