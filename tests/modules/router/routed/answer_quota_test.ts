import assert from "node:assert/strict";
import { AnswerQuota } from "../../../../modules/router/routed/answer_quota.ts";
import {
  ANSWER_SOURCES_MAX,
  ANSWERS_PER_SECOND_MAX,
} from "../../../../modules/router/routed/limits.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

const HALF = ANSWERS_PER_SECOND_MAX / 2;

/** How many of so many questions are answered. */
function ask(quota: AnswerQuota, who: string, times: number): number {
  const [neighbour = "", source = neighbour] = who.split("/");
  let answered = 0;
  for (let i = 0; i < times; i++) if (quota.take({ neighbour, source })) answered++;
  return answered;
}

Deno.test("answer quota: one alone has all of a second, and no more", async () => {
  const clock = new ManualClock();
  const quota = new AnswerQuota(clock);
  for (let second = 0; second < 3; second++) {
    assert.equal(ask(quota, "a", 1_000), ANSWERS_PER_SECOND_MAX);
    await clock.advance(1_000);
  }
});

Deno.test("answer quota: neighbours have equal parts of half of it, and their sources of those", async () => {
  const clock = new ManualClock();
  const quota = new AnswerQuota(clock);
  const all = ["a/1", "a/2", "b/1", "c/1"];
  for (const who of all) ask(quota, who, 1);
  await clock.advance(1_000);
  // Whoever comes first has what is not shared out besides.
  assert.equal(ask(quota, "a/1", 1_000), HALF + Math.ceil(HALF / 3 / 2));
  assert.equal(ask(quota, "b/1", 1_000), Math.ceil(HALF / 3));
  assert.equal(ask(quota, "a/2", 1_000), Math.ceil(HALF / 3 / 2));
  assert.equal(ask(quota, "c/1", 1_000), Math.ceil(HALF / 3));
});

Deno.test("answer quota: of one neighbour no source uses up the part of another", async () => {
  const clock = new ManualClock();
  const quota = new AnswerQuota(clock);
  for (const who of ["a/1", "a/2"]) ask(quota, who, 1);
  await clock.advance(1_000);
  assert.equal(ask(quota, "b", 1_000), HALF + HALF / 2);
  assert.equal(ask(quota, "a/1", 1_000), HALF / 4);
  assert.equal(ask(quota, "a/2", 1_000), HALF / 4);
});

Deno.test("answer quota: who is new has one at least, however many there are", async () => {
  const clock = new ManualClock();
  const quota = new AnswerQuota(clock);
  for (let i = 0; i < 500; i++) {
    assert.equal(ask(quota, `n${i}`, 2), i < ANSWERS_PER_SECOND_MAX - 1 ? 2 : 1, `${i}`);
  }
  await clock.advance(10_000);
  assert.equal(ask(quota, "a", 1_000), ANSWERS_PER_SECOND_MAX);
});

Deno.test("answer quota: invented sources take the part of their own neighbour alone, and no memory", async () => {
  const clock = new ManualClock();
  const quota = new AnswerQuota(clock);
  for (let second = 0; second < 2; second++) {
    let invented = 0;
    for (let i = 0; i < 3 * ANSWER_SOURCES_MAX; i++) invented += ask(quota, `liar/${i}`, 1);
    assert.ok(invented <= ANSWERS_PER_SECOND_MAX, `${invented}`);
    assert.ok(ask(quota, "honest", 1_000) >= HALF / 2);
    await clock.advance(1_000);
  }
});
