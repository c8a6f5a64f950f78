/** When a daemon that has just started may speak of all nodes. */

import assert from "node:assert/strict";
import { CALM_MS, FIRST_VIEW_MS_MAX } from "../../../modules/mesh/limits.ts";
import { WholeView } from "../../../modules/mesh/whole_view.ts";
import type { MeshView, NodeState } from "../../../modules/shared/mesh_view.ts";
import { ManualClock } from "../../support/manual_clock.ts";

function makeView(expectsOthers = true) {
  const clock = new ManualClock();
  const states = new Map<string, NodeState>([["self", "up"]]);
  const view = (): MeshView => ({
    self: "self",
    nodes: [...states].map(([keyId, state]) => ({
      name: keyId,
      keyId,
      state,
      groups: [],
      segment: "lan",
      endpoints: [],
      since: 0,
      version: "1",
      instance: "",
      incarnation: 1,
      links: [],
    })),
  });
  const whole = new WholeView(clock, { view, expectsOthers });
  const done: string[] = [];
  const wait = async (text: string) => {
    await whole.wait(new AbortController().signal);
    done.push(text);
  };
  return { clock, states, whole, done, wait };
}

Deno.test("whole view: it is when others are there and it has stayed the same", async () => {
  const { clock, states, done, wait } = makeView();
  const waiting = wait("first");
  await clock.advance(CALM_MS);
  for (const name of ["n1", "n2"]) {
    states.set(name, "up");
    await clock.advance(CALM_MS);
    assert.deepEqual(done, []);
  }
  await clock.advance(CALM_MS);
  await waiting;
  assert.deepEqual([done, clock.timers], [["first"], 0]);
});

Deno.test("whole view: nodes that are down are not what it waits for, but no longer than its youth", async () => {
  const { clock, states, done, wait } = makeView();
  states.set("n1", "down");
  const waiting = wait("lonely");
  await clock.advance(FIRST_VIEW_MS_MAX - 1);
  assert.deepEqual(done, []);
  await clock.advance(1);
  await waiting;
  await wait("later");
  assert.deepEqual([done, clock.timers], [["lonely", "later"], 0]);
});

Deno.test("whole view: who knows of nobody is alone at once, and nobody waits for who has left", async () => {
  const { wait, done } = makeView(false);
  await wait("alone");
  assert.deepEqual(done, ["alone"]);
  const { clock, whole } = makeView();
  const left = new AbortController();
  const waiting = assert.rejects(whole.wait(left.signal), /Gone/);
  left.abort(new Error("Gone"));
  await waiting;
  assert.equal(clock.timers, 0);
});
