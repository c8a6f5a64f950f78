/** Names that a daemon does not know yet. */

import assert from "node:assert/strict";
import { CallError } from "../../../core/mod.ts";
import { FirstView } from "../../../modules/group/first_view.ts";
import { FIRST_VIEW_MS_MAX } from "../../../modules/group/limits.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const UNKNOWN = { class: "invalid", message: 'The mesh has no node "n5"' };

function makeView() {
  const clock = new ManualClock();
  const view = new FirstView(clock);
  const names = ["n1"];
  const left = new AbortController();
  const choose = () =>
    view.choose(() => {
      if (names.includes("n5")) return "n5";
      throw new CallError("invalid", UNKNOWN.message);
    }, { signal: left.signal });
  return { clock, view, names, left, choose };
}

Deno.test("first view: a daemon that has just started waits for a node that is named", async () => {
  const { clock, view, names, choose } = makeView();
  const chosen = choose();
  names.push("n4");
  view.changed();
  await clock.advance(FIRST_VIEW_MS_MAX - 1);
  names.push("n5");
  view.changed();
  assert.equal(await chosen, "n5");
  assert.equal(clock.timers, 0);
});

Deno.test("first view: later it knows what there is, and says so", async () => {
  const { clock, choose } = makeView();
  const early = assert.rejects(choose(), UNKNOWN);
  await clock.advance(FIRST_VIEW_MS_MAX);
  await early;
  await assert.rejects(choose(), UNKNOWN);
  assert.equal(clock.timers, 0);
});

// A mesh of restarted daemons said "no node" of one that it had heard of a moment before.
Deno.test("first view: who is known to come is waited for at any age, and no longer than that", async () => {
  const { clock, view, names, left } = makeView();
  await clock.advance(10 * FIRST_VIEW_MS_MAX);
  const select = () => {
    if (names.includes("n5")) return "n5";
    throw new CallError("invalid", UNKNOWN.message);
  };
  const options = { signal: left.signal, patienceMs: 100 };
  const chosen = view.choose(select, options);
  await clock.advance(99);
  names.push("n5");
  view.changed();
  assert.equal(await chosen, "n5");
  names.pop();
  const late = assert.rejects(view.choose(select, options), UNKNOWN);
  await clock.advance(100);
  await late;
  assert.equal(clock.timers, 0);
});

Deno.test("first view: nobody waits for who has gone, nor after another error", async () => {
  const { clock, view, left, choose } = makeView();
  const broken = () => {
    throw new CallError("failed", "Broken");
  };
  await assert.rejects(view.choose(broken, { signal: left.signal }), { class: "failed" });
  const waiting = assert.rejects(choose(), { class: "cancelled" });
  left.abort(new CallError("cancelled", "Test"));
  await waiting;
  assert.equal(clock.timers, 0);
});
