import assert from "node:assert/strict";
import { Candidates, type Place } from "../../../modules/discovery/candidates.ts";
import {
  BACKOFF_MS_MAX,
  BACKOFF_MS_MIN,
  CANDIDATE_MS_MAX,
  CANDIDATES_MAX,
  CANDIDATES_PER_HOST_MAX,
  CANDIDATES_PER_KEY_MAX,
} from "../../../modules/discovery/limits.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const place = (key: string, host = "10.0.0.1", port = 7_117): Place => ({ keyId: key, host, port });

function names(candidates: Candidates): string[] {
  return candidates.due().map(({ keyId, host, port }) => `${keyId}@${host}:${port}`).sort();
}

Deno.test("candidates: are due after their wait, once, until they failed or are found", async () => {
  const clock = new ManualClock();
  const candidates = new Candidates(clock);
  candidates.hear(place("a"), 100);
  assert.equal(candidates.nextInMs(), 100);
  assert.deepEqual(names(candidates), []);
  await clock.advance(100);
  // To hear of it again changes nothing.
  candidates.hear(place("a"), 5_000);
  assert.deepEqual(names(candidates), ["a@10.0.0.1:7117"]);
  const [first] = candidates.due();
  assert.ok(first !== undefined);
  first.trying = true;
  assert.deepEqual(names(candidates), []);
  assert.equal(candidates.nextInMs(), undefined);
  candidates.failed(first, { chance: 0, isFalse: false });
  assert.equal(candidates.nextInMs(), BACKOFF_MS_MIN);
  candidates.remove("a");
  assert.equal(candidates.size, 0);
});

Deno.test("candidates: each failure doubles the wait, a false one waits the longest at once", () => {
  const clock = new ManualClock();
  const candidates = new Candidates(clock);
  candidates.hear(place("a"), 0);
  const [one] = candidates.due();
  assert.ok(one !== undefined);
  const waits = Array.from({ length: 8 }, () => {
    candidates.failed(one, { chance: 0, isFalse: false });
    return one.dueAt;
  });
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60].map((s) => s * BACKOFF_MS_MIN));
  candidates.hear(place("b"), 0);
  const [other] = candidates.due();
  assert.ok(other?.keyId === "b");
  candidates.failed(other, { chance: 0, isFalse: true });
  assert.equal(other.dueAt, BACKOFF_MS_MAX);
});

Deno.test("candidates: what nobody speaks of any more is forgotten", async () => {
  const clock = new ManualClock();
  const candidates = new Candidates(clock);
  candidates.hear(place("a"), 0);
  candidates.hear(place("b", "10.0.0.2"), 0);
  await clock.advance(CANDIDATE_MS_MAX);
  candidates.hear(place("b", "10.0.0.2"), 0);
  await clock.advance(1);
  candidates.hear(place("c", "10.0.0.3"), 0);
  assert.deepEqual(names(candidates), ["b@10.0.0.2:7117", "c@10.0.0.3:7117"]);
});

Deno.test("candidates: no flood of false words makes them many, by key, by host or at all", () => {
  const candidates = new Candidates(new ManualClock());
  for (let i = 0; i < 100; i++) candidates.hear(place("a", `10.0.0.${i}`), 0);
  assert.equal(candidates.size, CANDIDATES_PER_KEY_MAX);
  for (let i = 0; i < 100; i++) candidates.hear(place(`k${i}`, "10.0.1.1"), 0);
  assert.equal(candidates.size, CANDIDATES_PER_KEY_MAX + CANDIDATES_PER_HOST_MAX);
  for (let i = 0; i < 1_000; i++) candidates.hear(place(`k${i}`, `10.1.${i >> 8}.${i & 255}`), 0);
  assert.equal(candidates.size, CANDIDATES_MAX);
});

Deno.test("candidates: the one that failed most often makes room for a new one", () => {
  const candidates = new Candidates(new ManualClock());
  for (let i = 0; i < CANDIDATES_MAX; i++) candidates.hear(place(`k${i}`, `10.0.0.${i}`), 0);
  const bad = candidates.due().find(({ keyId }) => keyId === "k7");
  assert.ok(bad !== undefined);
  candidates.failed(bad, { chance: 0, isFalse: true });
  candidates.hear(place("new", "10.0.1.0"), 0);
  assert.equal(candidates.size, CANDIDATES_MAX);
  const left = candidates.due().map(({ keyId }) => keyId);
  assert.ok(left.includes("new") && left.includes("k0") && !left.includes("k7"));
});
