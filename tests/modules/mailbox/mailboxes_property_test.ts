import assert from "node:assert/strict";
import fc from "fast-check";
import type { Letter } from "../../../modules/mailbox/letter.ts";
import { LETTER_BYTES_MAX } from "../../../modules/mailbox/limits.ts";
import { Mailboxes } from "../../../modules/mailbox/mailboxes.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { quiet } from "../../support/wait.ts";

const TAGS = ["a", "b"] as const;
const SENDERS = ["alice", "bob"] as const;
const WAIT_MS = 100;

const tag = fc.constantFrom(...TAGS);
const from = fc.constantFrom(...SENDERS);
/** What programs and the world may do, in any order. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("send"), tag, from }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("send large"), tag, from }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("take"), tag, from: fc.option(from) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait"), tag, from: fc.option(from) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("stop"), tag, from }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("time"), tag, from }) },
);

Deno.test("mailboxes: whatever happens, each letter comes out once, in order, and all room comes back", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const clock = new ManualClock();
      const mailboxes = new Mailboxes(clock);
      const sent: string[] = [];
      const got: string[] = [];
      const controllers: AbortController[] = [];
      const running: Promise<void>[] = [];
      const patience = (ms: number) => {
        const controller = new AbortController();
        controllers.push(controller);
        return { ms, signal: controller.signal };
      };
      const send = async (tag: string, name: string, bytes: number, number: number) => {
        if (
          await mailboxes.reserve({ tag, bytes, sender: name }, patience(WAIT_MS)) !== undefined
        ) return;
        const letter: Letter = {
          from: { kind: "user", name, keyId: name },
          chunks: [],
          bytes,
          at: number,
        };
        sent.push(`${tag} ${name} ${number}`);
        mailboxes.add(tag, letter);
      };
      const take = async (tag: string, from: string | null, ms: number) => {
        const letter = await mailboxes.take(tag, from ?? undefined, patience(ms));
        if (letter === undefined) return;
        assert.ok(from === null || letter.from.name === from);
        got.push(`${tag} ${letter.from.name} ${letter.at}`);
      };
      for (const [number, { kind, tag, from }] of steps.entries()) {
        const bytes = kind === "send large" ? LETTER_BYTES_MAX : 10;
        if (kind.startsWith("send")) running.push(send(tag, from as string, bytes, number));
        else if (kind === "take") await take(tag, from, 0);
        else if (kind === "wait") running.push(take(tag, from, WAIT_MS));
        else if (kind === "stop") {
          controllers[number % controllers.length]?.abort(new Error("stop"));
        } else await clock.advance(WAIT_MS / 2);
        await quietly(running);
      }
      await clock.advance(WAIT_MS);
      await Promise.allSettled(running);
      for (const tag of TAGS) {
        while (mailboxes.unread > 0 && sent.some((each) => each.startsWith(tag))) {
          const before = got.length;
          await take(tag, null, 0);
          if (got.length === before) break;
        }
      }
      assert.deepEqual([...got].sort(), [...sent].sort());
      for (const line of TAGS.flatMap((tag) => SENDERS.map((name) => `${tag} ${name} `))) {
        const of = (all: readonly string[]) => all.filter((each) => each.startsWith(line));
        assert.deepEqual(of(got), of(sent));
      }
      assert.equal(mailboxes.unread, 0);
      for (const [tag, sender] of [["a", "c"], ["a", "d"], ["b", "e"], ["b", "f"]] as const) {
        const now = { ms: 0, signal: new AbortController().signal };
        const largest = { tag, bytes: LETTER_BYTES_MAX, sender };
        assert.equal(await mailboxes.reserve(largest, now), undefined);
      }
      assert.equal(clock.timers, 0);
    }),
    { seed: 21, numRuns: 150 },
  );
});

/** Lets what can go on go on; who was stopped has failed, which is what it asked for. */
async function quietly(running: readonly Promise<void>[]): Promise<void> {
  for (const each of running) each.catch(() => {});
  await quiet();
}
