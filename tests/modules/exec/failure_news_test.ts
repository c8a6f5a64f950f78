import assert from "node:assert/strict";
import { FailureNews } from "../../../modules/exec/failure_news.ts";
import type { NodeFailure } from "../../../modules/shared/group_result.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const failed = (name: string): [string, NodeFailure] => [
  name,
  { name, set: "unreachable", reason: "Gone" },
];

Deno.test("failure news: each node once, those of one time together, and none of a moment before the end", async () => {
  const clock = new ManualClock();
  const failures = new Map<string, NodeFailure>([failed("n1"), failed("n2")]);
  const told: string[] = [];
  const news = new FailureNews(clock, failures, (some) => {
    told.push(some.map(({ name }) => name).join());
  });
  await clock.advance(2_000);
  assert.deepEqual(told, []);
  failures.set(...failed("n3"));
  await clock.advance(2_000);
  assert.deepEqual(told, ["n1,n2"]);
  await clock.advance(2_000);
  failures.set(...failed("n4"));
  await clock.advance(2_000);
  assert.deepEqual(told, ["n1,n2", "n3"]);
  news[Symbol.dispose]();
  assert.equal(clock.timers, 0);
});
