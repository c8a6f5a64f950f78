import assert from "node:assert/strict";
import { type Letter, type Sender } from "../../../modules/mailbox/letter.ts";
import {
  LETTER_BYTES_MAX,
  NODE_LETTERS_MAX,
  READERS_MAX,
  SENDER_WAITERS_MAX,
  TAG_LETTERS_MAX,
  WAITERS_MAX,
} from "../../../modules/mailbox/limits.ts";
import { Mailboxes, type Parcel, type Patience } from "../../../modules/mailbox/mailboxes.ts";
import { fullText } from "../../../modules/mailbox/sending.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { outcome, quiet } from "../../support/wait.ts";

const NOW: Patience = { ms: 0, signal: new AbortController().signal };

function sender(name: string, kind: Sender["kind"] = "user"): Sender {
  return { kind, name, keyId: name };
}

function letter(text: string, from: Sender = sender("alice")): Letter {
  const chunk = new TextEncoder().encode(text);
  return { from, chunks: [chunk], bytes: chunk.length, at: 0 };
}

function textOf(letter: Letter | undefined): string | undefined {
  return letter === undefined
    ? undefined
    : letter.chunks.map((chunk) => new TextDecoder().decode(chunk)).join("");
}

/** Mailboxes that must not leave a timer behind. */
async function inMailboxes(
  run: (mailboxes: Mailboxes, clock: ManualClock) => Promise<void>,
): Promise<void> {
  const clock = new ManualClock();
  await run(new Mailboxes(clock), clock);
  await quiet();
  assert.equal(clock.timers, 0);
}

/** A letter that nobody has written yet. */
function parcel(tag: string, bytes: number, sender = "alice"): Parcel {
  return { tag, bytes, sender };
}

/** Two senders, who fill a tag. */
async function fillWithLargest(mailboxes: Mailboxes, tag = "a"): Promise<void> {
  for (const name of ["alice", "bob"]) {
    assert.equal(await mailboxes.reserve(parcel(tag, LETTER_BYTES_MAX, name), NOW), undefined);
  }
}

async function post(mailboxes: Mailboxes, tag: string, ...letters: Letter[]): Promise<void> {
  for (const each of letters) {
    assert.equal(await mailboxes.reserve(parcel(tag, each.bytes, each.from.keyId), NOW), undefined);
    mailboxes.add(tag, each);
  }
}

Deno.test("mailboxes: letters come out in the order in which they went in, each once, by tag", () =>
  inMailboxes(async (mailboxes) => {
    await post(mailboxes, "a", letter("1"), letter("2"));
    await post(mailboxes, "b", letter("3"));
    assert.equal(mailboxes.unread, 3);
    const take = async (tag: string) => textOf(await mailboxes.take(tag, undefined, NOW));
    assert.deepEqual(
      [await take("a"), await take("b"), await take("a"), await take("a"), await take("c")],
      ["1", "3", "2", undefined, undefined],
    );
    assert.equal(mailboxes.unread, 0);
  }));

Deno.test("mailboxes: a reader may want one sender only, and others stay", () =>
  inMailboxes(async (mailboxes) => {
    await post(
      mailboxes,
      "a",
      letter("of n1 the user", sender("n1")),
      letter("of n1 the node", sender("n1", "node")),
      letter("of n2", sender("n2", "node")),
    );
    const take = async (from: string) => textOf(await mailboxes.take("a", from, NOW));
    assert.equal(await take("n"), undefined);
    assert.equal(await take("node:n1"), "of n1 the node");
    assert.equal(await take("n2"), "of n2");
    assert.equal(await take("node:n1"), undefined);
    assert.equal(await take("n1"), "of n1 the user");
  }));

Deno.test("mailboxes: readers wait in turn, each for what it wants", () =>
  inMailboxes(async (mailboxes, clock) => {
    const patience = { ms: 1_000, signal: new AbortController().signal };
    const bob = mailboxes.take("a", "bob", patience);
    const first = mailboxes.take("a", undefined, patience);
    const second = mailboxes.take("a", undefined, patience);
    await post(mailboxes, "a", letter("1"), letter("2"), letter("3"));
    assert.equal(textOf(await first), "1");
    assert.equal(textOf(await second), "2");
    assert.equal((await outcome(bob)).state, "pending");
    await clock.advance(1_000);
    assert.equal(await bob, undefined);
    assert.equal(mailboxes.unread, 1);
  }));

Deno.test("mailboxes: who stops waiting gets nothing, and nothing is lost", () =>
  inMailboxes(async (mailboxes) => {
    const stop = new AbortController();
    const reading = mailboxes.take("a", undefined, { ms: Infinity, signal: stop.signal });
    const refused = assert.rejects(reading, /enough/);
    await quiet();
    assert.equal(await mailboxes.reserve(parcel("a", 1), NOW), undefined);
    // The letter comes in the very turn in which the reader goes.
    stop.abort(new Error("enough"));
    mailboxes.add("a", letter("1"));
    await refused;
    await assert.rejects(mailboxes.take("a", undefined, { ms: 1, signal: stop.signal }), /enough/);
    assert.equal(textOf(await mailboxes.take("a", undefined, NOW)), "1");
  }));

Deno.test("mailboxes: what is put back is the oldest again, or goes to who waits", () =>
  inMailboxes(async (mailboxes) => {
    await post(mailboxes, "a", letter("1"), letter("2"));
    const taken = await mailboxes.take("a", undefined, NOW) as Letter;
    mailboxes.putBack("a", taken);
    assert.equal(await mailboxes.take("a", undefined, NOW), taken);
    const waiting = mailboxes.take("b", undefined, { ...NOW, ms: Infinity });
    mailboxes.putBack("b", taken);
    assert.equal(await waiting, taken);
    assert.equal(mailboxes.unread, 1);
  }));

Deno.test("mailboxes: a full tag takes no more, says how full it is, and harms no other", () =>
  inMailboxes(async (mailboxes) => {
    for (let i = 0; i < TAG_LETTERS_MAX; i++) {
      await post(mailboxes, "a", letter("", sender(`user-${i}`)));
    }
    assert.deepEqual(await mailboxes.reserve(parcel("a", 0), NOW), {
      of: "tag",
      bytes: 256 * TAG_LETTERS_MAX,
      bytesMax: 2 * (LETTER_BYTES_MAX + 256),
      messages: TAG_LETTERS_MAX,
      messagesMax: TAG_LETTERS_MAX,
    });
    await post(mailboxes, "b", letter("1"));
    await mailboxes.take("a", undefined, NOW);
    assert.equal(await mailboxes.reserve(parcel("a", 0), NOW), undefined);
  }));

Deno.test("mailboxes: two of the largest letters fit under a tag, four in a node, and not a byte more", () =>
  inMailboxes(async (mailboxes) => {
    await fillWithLargest(mailboxes, "a");
    for (const name of ["carol", "dora"]) {
      assert.equal(await mailboxes.reserve(parcel("b", LETTER_BYTES_MAX, name), NOW), undefined);
    }
    assert.equal((await mailboxes.reserve(parcel("a", 0), NOW))?.of, "tag");
    const full = await mailboxes.reserve(parcel("c", 0), NOW);
    assert.deepEqual([full?.of, full?.messages, full?.messagesMax], ["node", 4, NODE_LETTERS_MAX]);
    mailboxes.release(parcel("b", LETTER_BYTES_MAX, "carol"));
    const next = await mailboxes.reserve(parcel("c", LETTER_BYTES_MAX, "eve"), NOW);
    assert.equal(next, undefined);
  }));

Deno.test("mailboxes: senders wait for room in turn, and a small one does not overtake", () =>
  inMailboxes(async (mailboxes, clock) => {
    const patience = { ms: 1_000, signal: new AbortController().signal };
    assert.equal(await mailboxes.reserve(parcel("a", LETTER_BYTES_MAX), NOW), undefined);
    assert.equal(await mailboxes.reserve(parcel("a", 10), NOW), undefined);
    const large = mailboxes.reserve(parcel("a", LETTER_BYTES_MAX, "bob"), patience);
    const small = mailboxes.reserve(parcel("a", 1), patience);
    assert.equal((await outcome(small)).state, "pending");
    assert.equal((await mailboxes.reserve(parcel("a", 1), NOW))?.of, "tag");
    assert.equal(await mailboxes.reserve(parcel("b", 1), patience), undefined);
    mailboxes.release(parcel("a", 10));
    assert.equal(await large, undefined);
    assert.equal((await outcome(small)).state, "pending");
    await clock.advance(1_000);
    assert.equal((await small)?.of, "tag");
  }));

// It was told that the mailbox was full, of which a third was free.
Deno.test("mailboxes: who finds room and others before it learns how many, not that it is full", () =>
  inMailboxes(async (mailboxes, clock) => {
    const patience = { ms: 1_000, signal: new AbortController().signal };
    const bytes = LETTER_BYTES_MAX;
    assert.equal(await mailboxes.reserve(parcel("a", bytes, "alice"), NOW), undefined);
    assert.equal(await mailboxes.reserve(parcel("a", 1, "bob"), NOW), undefined);
    // This one lacks only its share, and holds up nobody but itself.
    const own = mailboxes.reserve(parcel("a", bytes / 2, "alice"), patience);
    const large = mailboxes.reserve(parcel("a", bytes, "carol"), patience);
    const full = await mailboxes.reserve(parcel("a", 6, "dave"), NOW);
    assert.ok(full !== undefined && full.bytes < full.bytesMax / 1.5);
    assert.deepEqual([full.own, full.ahead], [undefined, 1]);
    assert.match(
      fullText(full, { node: "n2", tag: "a" }),
      /^Mailbox "a" of "n2" has room, but there is a line for it of 1 message: 16.8 MB of 33.6 MB, /,
    );
    const second = mailboxes.reserve(parcel("a", 6, "dave"), patience);
    assert.equal((await mailboxes.reserve(parcel("a", 6, "erin"), NOW))?.ahead, 2);
    assert.equal((await mailboxes.reserve(parcel("a", bytes, "erin"), NOW))?.ahead, undefined);
    await clock.advance(1_000);
    const ends = await Promise.all([own, large, second]);
    assert.deepEqual(ends.map((end) => end?.own?.messages ?? end?.ahead), [
      1,
      undefined,
      undefined,
    ]);
  }));

Deno.test("mailboxes: a sender that stops waiting makes way, and leaves no room reserved", () =>
  inMailboxes(async (mailboxes) => {
    const stop = new AbortController();
    await fillWithLargest(mailboxes);
    const gone = mailboxes.reserve(parcel("a", LETTER_BYTES_MAX, "carol"), {
      ms: Infinity,
      signal: stop.signal,
    });
    const next = mailboxes.reserve(parcel("a", 0), { ...NOW, ms: Infinity });
    const refused = assert.rejects(gone, /enough/);
    // Room comes in the very turn in which nobody wants it any more.
    stop.abort(new Error("enough"));
    mailboxes.release(parcel("a", LETTER_BYTES_MAX));
    await refused;
    assert.equal(await next, undefined);
    assert.equal((await mailboxes.reserve(parcel("a", LETTER_BYTES_MAX), NOW))?.messages, 2);
  }));

Deno.test("mailboxes: so many may wait for room, the next one is told at once", () =>
  inMailboxes(async (mailboxes, clock) => {
    const patience = { ms: 1_000, signal: new AbortController().signal };
    await fillWithLargest(mailboxes);
    const waiting = Array.from(
      { length: WAITERS_MAX },
      (_, i) =>
        mailboxes.reserve(parcel("a", 1, i < SENDER_WAITERS_MAX ? "alice" : `${i}`), patience),
    );
    assert.equal((await mailboxes.reserve(parcel("a", 1, "late"), patience))?.of, "tag");
    await clock.advance(1_000);
    assert.ok((await Promise.all(waiting)).every((full) => full?.of === "tag"));
  }));

Deno.test("mailboxes: one sender cannot fill a tag, a node, or the line of those who wait, for all", () =>
  inMailboxes(async (mailboxes, clock) => {
    const patience = { ms: 1_000, signal: new AbortController().signal };
    const fill = async (tag: string, name: string) => {
      for (let count = 0;; count++) {
        const full = await mailboxes.reserve(parcel(tag, 0, name), NOW);
        if (full !== undefined) return [count, full.of, full.own?.messages];
      }
    };
    // Two thirds, and of what is left the next one gets two thirds.
    const [most, next] = [682, 228];
    assert.ok(most <= TAG_LETTERS_MAX * 2 / 3 && next <= (TAG_LETTERS_MAX - most) * 2 / 3);
    assert.deepEqual(await fill("a", "alice"), [most, "tag", most]);
    assert.deepEqual(await fill("a", "bob"), [next, "tag", next]);
    for (const tag of ["b", "c"]) assert.deepEqual(await fill(tag, "alice"), [most, "tag", most]);
    const all = Math.floor((NODE_LETTERS_MAX - next) * 2 / 3);
    assert.deepEqual(await fill("d", "alice"), [all - 3 * most, "node", all]);
    // Who waits for its share holds up nobody else, but for what it sends itself.
    const waiting = Array.from(
      { length: SENDER_WAITERS_MAX },
      () => mailboxes.reserve(parcel("a", 0), patience),
    );
    assert.equal((await mailboxes.reserve(parcel("a", 0), patience))?.own?.messages, most);
    assert.equal(await mailboxes.reserve(parcel("a", 0, "carol"), NOW), undefined);
    for (let i = 0; i < 160; i++) mailboxes.release(parcel("a", 0));
    assert.equal((await outcome(waiting[0] as Promise<unknown>)).state, "resolved");
    await clock.advance(1_000);
    assert.equal((await waiting.at(-1))?.of, "tag");
  }));

Deno.test("mailboxes: so many may wait for a letter, the next one is told at once", () =>
  inMailboxes(async (mailboxes, clock) => {
    const patience = { ms: 1_000, signal: new AbortController().signal };
    const waiting = Array.from(
      { length: READERS_MAX },
      () => mailboxes.take("a", undefined, patience),
    );
    await assert.rejects(mailboxes.take("b", undefined, patience), {
      class: "busy",
      message: "1024 readers wait for messages of this node already",
    });
    await post(mailboxes, "b", letter("1"));
    assert.equal(textOf(await mailboxes.take("b", undefined, patience)), "1");
    await clock.advance(1_000);
    assert.ok((await Promise.all(waiting)).every((found) => found === undefined));
    assert.equal(await mailboxes.take("a", undefined, NOW), undefined);
  }));
