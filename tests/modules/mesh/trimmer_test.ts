import assert from "node:assert/strict";
import { CallError, type Link } from "../../../core/mod.ts";
import { SURPLUS_AGAIN_MS, SURPLUS_MS } from "../../../modules/mesh/limits.ts";
import { Trimmer } from "../../../modules/mesh/trimmer.ts";
import { ManualClock } from "../../support/manual_clock.ts";

/** A trimmer whose own key is "m", with links to others by their keys. */
function scene(peers: string) {
  const clock = new ManualClock();
  const story: string[] = [];
  const state = { kept: "", whole: true, spare: true as boolean | Error, underWay: 0 };
  const links = new Map([...peers].map((keyId): [string, Link] => {
    const link = {
      peer: { identity: { keyId, name: keyId } },
      get underWay() {
        return state.underWay;
      },
      request: (verb: string) => {
        story.push(`${verb} ${keyId}`);
        if (state.spare instanceof Error) return Promise.reject(state.spare);
        return Promise.resolve({ spare: state.spare });
      },
      close: (text: string) => {
        story.push(`close ${keyId}: ${text}`);
        links.delete(keyId);
        trimmer.update();
        return Promise.resolve();
      },
    };
    return [keyId, link as unknown as Link];
  }));
  const trimmer = new Trimmer({
    clock,
    log: () => {},
    self: "m",
    links: () => [...links.values()],
    isKept: (keyId) => state.kept.includes(keyId),
    isWhole: () => state.whole,
  });
  trimmer.update();
  const take = () => story.splice(0);
  return { clock, links, state, trimmer, take };
}

Deno.test("trimmer: the end with the smaller key asks after the grace, and closes when both agree", async () => {
  const { clock, trimmer, take } = scene("ax");
  await clock.advance(SURPLUS_MS - 1);
  assert.deepEqual(take(), []);
  await clock.advance(1);
  assert.deepEqual(take(), ["mesh.spare x", "close x: not needed by either end"]);
  await clock.advance(10 * SURPLUS_MS);
  assert.deepEqual(take(), []);
  assert.equal(clock.timers, 0);
  trimmer.stop();
});

Deno.test("trimmer: all ask at the same moments, whenever their links became needless", async () => {
  const { clock, links, trimmer, take } = scene("x");
  await clock.advance(SURPLUS_AGAIN_MS / 3);
  const [link] = links.values();
  links.set("y", { ...link, peer: { identity: { keyId: "y", name: "y" } } } as unknown as Link);
  trimmer.update();
  await clock.advance(SURPLUS_MS);
  assert.equal(take().length, 2);
  await clock.advance(SURPLUS_AGAIN_MS / 3 * 2 - 1);
  assert.deepEqual(take(), []);
  await clock.advance(1);
  assert.equal(take().length, 2);
  trimmer.stop();
});

Deno.test("trimmer: a late timer, or a clock that is set, moves nobody's turn for ever", async () => {
  const { clock, state, trimmer, take } = scene("x");
  state.spare = false;
  await clock.advance(SURPLUS_MS - 1);
  clock.jump(3_000);
  await clock.advance(0);
  assert.deepEqual(take(), ["mesh.spare x"]);
  clock.skew(2_000);
  await clock.advance(SURPLUS_AGAIN_MS);
  take();
  for (let turn = 0; turn < 3; turn++) {
    await clock.advance(SURPLUS_AGAIN_MS - 1 - (clock.now() % SURPLUS_AGAIN_MS));
    assert.deepEqual(take(), []);
    await clock.advance(1);
    assert.deepEqual(take(), ["mesh.spare x"]);
  }
  trimmer.stop();
});

Deno.test("trimmer: a link that is wanted again in time stays", async () => {
  const { clock, state, trimmer, take } = scene("x");
  await clock.advance(SURPLUS_MS - 1);
  state.kept = "x";
  trimmer.update();
  state.kept = "";
  trimmer.update();
  await clock.advance(SURPLUS_MS);
  assert.deepEqual(take(), []);
  await clock.advance(1 + SURPLUS_AGAIN_MS);
  assert.equal(take().length, 2);
  trimmer.stop();
});

Deno.test("trimmer: nothing is closed that the other end needs, or that is in use, or while links are missing", async () => {
  const { clock, state, trimmer, take } = scene("x");
  state.whole = false;
  await clock.advance(SURPLUS_MS);
  assert.deepEqual(take(), []);
  state.whole = true;
  state.underWay = 1;
  await clock.advance(SURPLUS_AGAIN_MS);
  assert.deepEqual(take(), []);
  state.underWay = 0;
  state.spare = false;
  await clock.advance(SURPLUS_AGAIN_MS);
  assert.deepEqual(take(), ["mesh.spare x"]);
  state.spare = new CallError("unknown-verb", "No such verb");
  await clock.advance(SURPLUS_AGAIN_MS);
  assert.deepEqual(take(), ["mesh.spare x"]);
  state.spare = true;
  await clock.advance(SURPLUS_AGAIN_MS);
  assert.equal(take().length, 2);
  trimmer.stop();
});

Deno.test("trimmer: a neighbour is told what we could spare", () => {
  const { links, state, trimmer } = scene("a");
  const link = links.get("a") as Link;
  state.underWay = 1;
  assert.equal(trimmer.couldSpare(link), true);
  state.underWay = 2;
  assert.equal(trimmer.couldSpare(link), false);
  state.underWay = 1;
  state.whole = false;
  assert.equal(trimmer.couldSpare(link), false);
  state.whole = true;
  state.kept = "a";
  assert.equal(trimmer.couldSpare(link), false);
  trimmer.stop();
});

Deno.test("trimmer: once it is stopped nothing is armed any more", async () => {
  const { clock, trimmer, take } = scene("x");
  trimmer.stop();
  trimmer.update();
  await clock.advance(2 * SURPLUS_MS);
  assert.deepEqual(take(), []);
  assert.equal(clock.timers, 0);
});
