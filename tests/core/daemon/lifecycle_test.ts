import assert from "node:assert/strict";
import { Lifecycle, type LifeState } from "../../../core/daemon/lifecycle.ts";

const STATES: readonly LifeState[] = ["new", "starting", "running", "stopping", "stopped"];

/** The shortest way to each state. */
const WAYS: Readonly<Record<LifeState, readonly LifeState[]>> = {
  new: [],
  starting: ["starting"],
  running: ["starting", "running"],
  stopping: ["starting", "stopping"],
  stopped: ["stopped"],
};

const ALLOWED = new Set([
  "new starting",
  "new stopped",
  "starting running",
  "starting stopping",
  "running stopping",
  "stopping stopped",
]);

Deno.test("lifecycle: moves along the table and no other way", () => {
  for (const from of STATES) {
    for (const to of STATES) {
      const life = new Lifecycle();
      for (const step of WAYS[from]) life.move(step);
      assert.equal(life.state, from);
      if (ALLOWED.has(`${from} ${to}`)) {
        life.move(to);
        assert.equal(life.state, to);
        continue;
      }
      assert.throws(() => life.move(to), { message: `Daemon cannot go from ${from} to ${to}` });
      assert.equal(life.state, from);
    }
  }
});
