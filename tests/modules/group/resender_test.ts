import assert from "node:assert/strict";
import { ATTEMPTS_MAX, FLAP_MS, RESEND_MS } from "../../../modules/group/limits.ts";
import type { Detail } from "../../../modules/group/partial.ts";
import { Resender } from "../../../modules/group/resender.ts";
import type { MeshPicture, NodeView } from "../../../modules/shared/mesh_view.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const DOWN: Detail = { reason: "Down", ran: "never", lost: true };
/** All pauses between the ways that are tried. */
const PAUSES_MS = RESEND_MS * (2 ** (ATTEMPTS_MAX - 1) - 1);

/** One target, n1, in some state since so many ms; copies are lost again unless it is up. */
function scene(state: NodeView["state"], forMs: number) {
  const clock = new ManualClock();
  const node: { -readonly [K in "state" | "since"]: NodeView[K] } = {
    state,
    since: clock.now() - forMs,
  };
  const story: string[] = [];
  const since = clock.monotonic();
  const resender: Resender = new Resender({
    clock,
    picture: { byName: () => node as NodeView } as Partial<MeshPicture> as MeshPicture,
    targets: new Map([[0, "n1"]]),
    send(targets) {
      story.push(`sent after ${clock.monotonic() - since}`);
      if (node.state !== "up") resender.lost([...targets.keys()], DOWN);
    },
    fail: (_, { reason, ran }) =>
      story.push(`failed after ${clock.monotonic() - since}: ${reason}, ${ran}`),
  });
  return { clock, node, story, resender };
}

Deno.test("resender: a target that was down for an instant is sent to when it is back", async () => {
  const { clock, node, story, resender } = scene("down", 0);
  resender.lost([0], DOWN);
  node.state = "up";
  await clock.advance(PAUSES_MS);
  assert.deepEqual(story, [`sent after ${RESEND_MS}`]);
  assert.equal(clock.timers, 0);
});

Deno.test("resender: one that has just died is given up soon, one that was dead before at once", async () => {
  const fresh = scene("down", 0);
  fresh.resender.lost([0], DOWN);
  await fresh.clock.advance(10 * PAUSES_MS);
  assert.equal(fresh.story.at(-1), `failed after ${PAUSES_MS}: Down, never`);
  for (const { story, resender } of [scene("down", FLAP_MS), scene("left", 0)]) {
    resender.lost([0], DOWN);
    assert.deepEqual(story, ["failed after 0: Down, never"]);
  }
});
