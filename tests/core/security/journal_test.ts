import assert from "node:assert/strict";
import { AuthenticationError, CallError } from "../../../core/errors.ts";
import {
  Journal,
  type JournalOptions,
  type JournalRecord,
} from "../../../core/security/journal.ts";
import { NOW } from "./documents.ts";

/** A clock that stands still until it is told to go on, and knows how many timers wait. */
class StillClock {
  time = NOW;
  readonly timers = new Map<object, { at: number; run: () => void }>();

  now(): number {
    return this.time;
  }

  after(ms: number, run: () => void): { cancel(): void } {
    const timer = { cancel: () => void this.timers.delete(timer) };
    this.timers.set(timer, { at: this.time + ms, run });
    return timer;
  }

  advance(ms: number): void {
    this.time += ms;
    for (const [timer, { at, run }] of [...this.timers]) {
      if (at > this.time) continue;
      this.timers.delete(timer);
      run();
    }
  }
}

function journalOf(
  clock: StillClock,
  options: Partial<JournalOptions<string>> = {},
): Journal<string> {
  return new Journal({ clock, sizeOf: (reply) => reply.length, ...options });
}

function record(requestId: string, fields: Partial<JournalRecord> = {}): JournalRecord {
  return { keyId: "k1", requestId, untilMs: NOW + 35_000, ...fields };
}

const never = (): Promise<string> => Promise.reject(new Error("ran twice"));

Deno.test("journal: a copy of a finished request gets its reply and runs nothing", async () => {
  using journal = journalOf(new StillClock());
  const first = journal.once(record("r1"), () => Promise.resolve("done"));
  assert.deepEqual([first.copy, await first.promise], [false, "done"]);
  const copy = journal.once(record("r1"), never);
  assert.deepEqual([copy.copy, await copy.promise], [true, "done"]);
});

Deno.test("journal: a copy attaches to a running request", async () => {
  using journal = journalOf(new StillClock());
  const running = Promise.withResolvers<string>();
  const first = journal.once(record("r1"), () => running.promise);
  const copies = [journal.once(record("r1"), never), journal.once(record("r1"), never)];
  running.resolve("late");
  assert.equal(await first.promise, "late");
  for (const { copy, promise } of copies) assert.deepEqual([copy, await promise], [true, "late"]);
});

Deno.test("journal: the request is known before run is called and before anything is waited for", async () => {
  using journal = journalOf(new StillClock());
  let inside: boolean | undefined;
  let runs = 0;
  const first = journal.once(record("r1"), () => {
    runs++;
    const again = journal.once(record("r1"), never);
    inside = again.copy;
    return Promise.resolve("one");
  });
  assert.deepEqual([runs, inside], [1, true]);
  assert.equal(await first.promise, "one");
});

Deno.test("journal: a failure is an answer too, also one that is thrown at once", async () => {
  using journal = journalOf(new StillClock());
  const failing: [string, () => Promise<string>][] = [
    ["r1", () => Promise.reject(new CallError("failed", "No such program"))],
    ["r2", () => {
      throw new CallError("failed", "No such program");
    }],
  ];
  for (const [id, run] of failing) {
    const wanted = new CallError("failed", "No such program");
    await assert.rejects(journal.once(record(id), run).promise, wanted);
    const copy = journal.once(record(id), never);
    assert.ok(copy.copy);
    await assert.rejects(copy.promise, wanted);
  }
});

Deno.test("journal: key ids keep requests of the same id apart", async () => {
  using journal = journalOf(new StillClock());
  const one = journal.once(record("r1"), () => Promise.resolve("one"));
  const two = journal.once(record("r1", { keyId: "k2" }), () => Promise.resolve("two"));
  assert.deepEqual([await one.promise, await two.promise, two.copy], ["one", "two", false]);
});

Deno.test("journal: a full quota refuses that key alone and evicts nothing", async () => {
  const clock = new StillClock();
  using journal = journalOf(clock, { requestsPerKeyMax: 3 });
  for (const id of ["a", "b", "c"]) {
    await journal.once(record(id), () => Promise.resolve(id)).promise;
  }
  assert.throws(
    () => journal.once(record("d"), never),
    new AuthenticationError(
      "quota",
      "Key k1 has 3 requests that are not forgotten yet, 3 is the most",
    ),
  );
  assert.equal(await journal.once(record("a"), never).promise, "a");
  const other = journal.once(record("d", { keyId: "k2" }), () => Promise.resolve("other"));
  assert.equal(await other.promise, "other");
  clock.time = NOW + 35_001;
  const later = record("d", { untilMs: NOW + 90_000 });
  assert.equal(await journal.once(later, () => Promise.resolve("room")).promise, "room");
});

Deno.test("journal: forgets what expired and keeps what runs", async () => {
  const clock = new StillClock();
  using journal = journalOf(clock);
  const running = Promise.withResolvers<string>();
  const slow = journal.once(record("slow"), () => running.promise);
  await journal.once(record("quick"), () => Promise.resolve("x")).promise;
  await journal.once(record("long", { untilMs: NOW + 99_000 }), () => Promise.resolve("x")).promise;
  clock.advance(30_000);
  assert.equal(journal.size, 3);
  clock.advance(10_000);
  assert.equal(journal.size, 2);
  assert.ok(journal.once(record("slow"), never).copy);
  running.resolve("end");
  await slow.promise;
  clock.advance(60_000);
  assert.equal(journal.size, 0);
  assert.equal(clock.timers.size, 0);
});

Deno.test("journal: of a reply too large to keep a copy learns that it ran", async () => {
  using journal = journalOf(new StillClock(), { replyBytesMax: 10 });
  const first = journal.once(record("r1"), () => Promise.resolve("x".repeat(11)));
  assert.equal((await first.promise).length, 11);
  const copy = journal.once(record("r1"), never);
  assert.ok(copy.copy);
  await assert.rejects(
    copy.promise,
    new CallError(
      "failed",
      "Request r1 ran, but its reply of 11 bytes was too large to keep (10 bytes)",
      { detail: { ran: true } },
    ),
  );
});

Deno.test("journal: all replies of a key together are bounded, and expired ones make room", async () => {
  const clock = new StillClock();
  using journal = journalOf(clock, { replyBytesPerKeyMax: 10 });
  const reply = (id: string, untilMs = NOW + 35_000) =>
    journal.once(record(id, { untilMs }), () => Promise.resolve("12345678")).promise;
  await reply("a");
  await reply("b", NOW + 99_000);
  assert.equal(await journal.once(record("a"), never).promise, "12345678");
  await assert.rejects(
    journal.once(record("b"), never).promise,
    new CallError(
      "failed",
      "Request b ran, but its reply is gone: 10 bytes of replies are kept for a key",
      {
        detail: { ran: true },
      },
    ),
  );
  clock.advance(40_000);
  await reply("c", NOW + 99_000);
  assert.equal(await journal.once(record("c"), never).promise, "12345678");
});

Deno.test("journal: with a store, nothing runs before it is stored or when that fails", async () => {
  const stored: JournalRecord[] = [];
  const gate = Promise.withResolvers<void>();
  const store = {
    append(record: JournalRecord) {
      stored.push(record);
      return record.requestId === "bad" ? Promise.reject(new Error("Disk is full")) : gate.promise;
    },
  };
  using journal = journalOf(new StillClock(), { store });
  let ran = false;
  const first = journal.once(record("r1"), () => {
    ran = true;
    return Promise.resolve("done");
  });
  assert.deepEqual([stored.length, ran], [1, false]);
  gate.resolve();
  assert.equal(await first.promise, "done");
  const refused = new CallError("refused", "Request cannot be recorded: Disk is full");
  for (let i = 0; i < 2; i++) {
    await assert.rejects(journal.once(record("bad"), never).promise, {
      name: refused.name,
      message: refused.message,
    });
  }
  // What must not be held up by a full disk.
  using other = journalOf(new StillClock(), { store });
  const halt = other.once(
    record("bad", { mayBeLost: true }),
    () => Promise.resolve("stopped"),
  );
  assert.equal(await halt.promise, "stopped");
});

Deno.test("journal: what an earlier life ran is not run again", async () => {
  const earlier = [record("old"), record("expired", { untilMs: NOW - 1 })];
  using journal = journalOf(new StillClock(), { earlier });
  const copy = journal.once(record("old"), never);
  assert.ok(copy.copy);
  await assert.rejects(
    copy.promise,
    new CallError("failed", "Request old ran before this daemon was restarted, its reply is gone", {
      detail: { ran: true },
    }),
  );
  assert.equal(journal.size, 1);
});

Deno.test("journal: disposed it leaves no timer and takes nothing more", async () => {
  const clock = new StillClock();
  const journal = journalOf(clock);
  assert.equal(clock.timers.size, 0);
  const running = Promise.withResolvers<string>();
  const first = journal.once(record("r1"), () => running.promise);
  assert.equal(clock.timers.size, 1);
  journal[Symbol.dispose]();
  journal[Symbol.dispose]();
  assert.equal(clock.timers.size, 0);
  assert.throws(
    () => journal.once(record("r2"), never),
    new CallError("refused", "Journal is closed: the daemon stops"),
  );
  running.resolve("ran on");
  assert.equal(await first.promise, "ran on");
});
