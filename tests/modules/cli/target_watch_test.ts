import assert from "node:assert/strict";
import { CallError } from "../../../core/mod.ts";
import { TargetWatch } from "../../../modules/cli/target_watch.ts";
import type { Route, RouteHop } from "../../../modules/shared/route_view.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const KEY = "ab".repeat(32);
const HOP: RouteHop = { name: "b2", keyId: KEY, segment: "b", kind: "link" };

/** What a daemon answers, one after the other, the last one again and again. */
async function watched(...answers: (Partial<Route> | Error)[]) {
  const clock = new ManualClock();
  let asked = 0;
  const request = (verb: string, args: unknown): Promise<unknown> => {
    assert.deepEqual([verb, args], ["router.route", { to: KEY }]);
    const answer = answers[Math.min(asked++, answers.length - 1)] as Partial<Route> | Error;
    if (answer instanceof Error) return Promise.reject(answer);
    const none = { hops: [] };
    return Promise.resolve({ from: "a1", to: "b2", low: none, high: none, ...answer });
  };
  using watch = new TargetWatch({ request }, { keyId: KEY, clock });
  const lostAfter: number[] = [];
  const began = clock.monotonic();
  watch.lost.addEventListener("abort", () => lostAfter.push(clock.monotonic() - began));
  await clock.advance(10_000);
  const { lost, why } = watch;
  return { asked, lostAfter, why, text: lost.aborted ? lost.reason.message : undefined };
}

// Sessions with a node that everybody knew to be down waited 10 s for it.
Deno.test("target watch: a node that has been down for long is given up at the first look", async () => {
  const target = { state: "down", forMs: 12_000, lostAt: "gb2" } as const;
  const { asked, lostAfter, text } = await watched({ target });
  assert.deepEqual([asked, lostAfter, text], [1, [250], 'Down for 12 s, lost at "gb2"']);
  const left = await watched({ target: { state: "left", forMs: 1 } });
  assert.deepEqual([left.asked, left.text], [1, "It has left the mesh"]);
});

Deno.test("target watch: one that went down just now may come back", async () => {
  const down = (forMs: number) => ({ target: { state: "down", forMs } } as const);
  const way = { hops: [HOP] };
  const back = { low: way, high: way, target: { state: "up", forMs: 5 } } as const;
  assert.equal((await watched(down(10), down(260), back)).text, undefined);
  assert.equal((await watched(down(10), down(2_999), down(3_000))).text, "Down for 3 s");
});

Deno.test("target watch: what is missing on the way to a node that is up is known", async () => {
  const high = { hops: [], why: 'No gateway of segment "b", that of "b2", is up' };
  const { text, why } = await watched({ high, target: { state: "up", forMs: 5 } });
  assert.deepEqual([text, why], [undefined, high.why]);
});

Deno.test("target watch: a daemon that cannot say it is not asked again, one that is busy is", async () => {
  const gone = await watched(new CallError("unreachable", "Connection is gone"));
  assert.deepEqual([gone.asked, gone.text], [1, undefined]);
  const target = { state: "down", forMs: 9_000 } as const;
  const busy = await watched(new CallError("busy", "Has just started"), { target });
  assert.deepEqual([busy.asked, busy.text], [2, "Down for 9 s"]);
  // An older one does not say in which state the node is.
  assert.equal((await watched({})).text, undefined);
});
